//! Bodies that are made while they are sent.

use http_body_util::BodyExt as _;

use super::{Manner, Payload};

const LEN: usize = 200_001;

#[tokio::test(start_paused = true)]
async fn a_generated_body_counts_up_to_255_again_and_again() {
    for manner in [
        Manner::Whole,
        Manner::Slow(std::time::Duration::from_secs(1)),
    ] {
        let body = Payload::Generated(LEN as u64).sent(manner);
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!(bytes.len(), LEN);
        assert!((0..LEN).all(|at| usize::from(bytes[at]) == at % 256));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_the_same_body() {
    let text: Vec<u8> = (0..=u8::MAX).cycle().take(1000).collect();
    let pause = std::time::Duration::from_secs(1);
    let body = Payload::Whole(text.clone().into()).sent(Manner::Slow(pause));
    assert_eq!(body.collect().await.unwrap().to_bytes(), text);
}

#[tokio::test]
async fn half_a_body_ends_in_an_error() {
    let mut body = Payload::Whole("0123456789".into()).sent(Manner::CutDeclared);
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "01234");
    assert!(body.frame().await.unwrap().is_err());
}
