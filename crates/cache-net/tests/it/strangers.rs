//! Those who do not belong.

use cache_core::Transport;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::fleet::*;

#[tokio::test]
async fn hosts_with_different_secrets_never_see_each_other() {
    let host = start(member()).await;
    let mut stranger = with_secret(OTHER_SECRET);
    stranger.bootstrap.push(address(&host));
    let stranger = start(stranger).await;
    // The stranger dials at once and again and again; a member that comes later is let in.
    for _ in 0..5 {
        let member = start(member_knowing(&[&host])).await;
        connected(&host, &member).await;
        member.close().await;
        until("gone", || !sees(&host, &member)).await;

        assert!(host.peers().is_empty());
        assert!(stranger.peers().is_empty());
    }
}

#[tokio::test]
async fn noise_on_the_socket_leaves_the_host_serving_others() {
    let (host, member) = pair().await;
    echo(&host);
    let port = address(&host).to_string();
    let port = port.rsplit('/').next().unwrap().to_owned();

    let mut strangers = Vec::new();
    for seed in 0..20_u8 {
        let mut stranger = TcpStream::connect(format!("127.0.0.1:{port}"))
            .await
            .unwrap();
        let rubbish: Vec<u8> = (0..5000_u32)
            .map(|i| ((i * 97) >> 3) as u8 ^ seed)
            .collect();
        // The host may hang up while we are still talking.
        let _ = stranger.write_all(&rubbish).await;
        strangers.push(stranger);
    }

    let answer = member.request(host.local_peer(), frame(1)).await;
    assert_eq!(answer.unwrap(), frame(1));
    assert_eq!(names(&host), [member.local_peer()]);
}
