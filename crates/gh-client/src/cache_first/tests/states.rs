//! In whatever state GitHub is: known things are answered, unknown ones get the truth, and nothing is
//! sent that the limits forbid.

use super::limiting::SPENT;
use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GitHub {
    Well,
    /// At remaining 0.
    Spent,
    /// Answering 429.
    TooFast,
    /// Answering 500.
    Broken,
    Hanging,
    Gone,
}

impl GitHub {
    async fn answer(self, asked: &Asked) -> Result<Response<Body>, UpstreamError> {
        match self {
            Self::Well => Ok(github(asked, "body")),
            Self::Spent if asked.headers().contains_key("if-none-match") => {
                Ok(github(asked, "body"))
            }
            Self::Spent => Ok(answer(403, &SPENT, "rate limit exceeded")),
            Self::TooFast => Ok(answer(429, &[("retry-after", "90")], "slow down")),
            Self::Broken => Ok(answer(500, &[], "oops")),
            Self::Hanging => std::future::pending().await,
            Self::Gone => Err(UpstreamError::Unreachable {
                upstream: "GitHub".to_owned(),
                cause: "refused".into(),
            }),
        }
    }
}

/// What is told of something that nobody has asked for before: the status, or the error.
type Truth = Result<u16, &'static str>;

async fn holds(state: GitHub, truth: Truth) {
    let clock = ManualClock::default();
    let now = Arc::new(Mutex::new(GitHub::Well));
    let calls = Arc::<std::sync::atomic::AtomicUsize>::default();
    let upstream = {
        let (now, calls) = (Arc::clone(&now), Arc::clone(&calls));
        tower::service_fn(move |request: Request<Body>| {
            calls.fetch_add(1, Ordering::Relaxed);
            let state = *now.lock().unwrap();
            async move { state.answer(&request.map(|_| ())).await }
        })
    };
    let service = parts(&clock, Sharing::Token).over(BoxCloneSyncService::new(upstream));
    let service = service.unwrap();
    let authorization = [("authorization", "token t")];
    let ask = |path| service.clone().oneshot(get(path, &authorization));
    let calls = || calls.load(Ordering::Relaxed);

    ask("/known").await.unwrap();
    *now.lock().unwrap() = state;
    let fresh = told_by(ask("/known").await.unwrap()).await;
    assert_eq!(fresh, told(200, "hit", "body"), "{state:?}");
    assert_eq!(calls(), 1, "{state:?}");

    let limited = [GitHub::Spent, GitHub::TooFast].contains(&state);
    for path in ["/unknown", "/unknown/too"] {
        let before = calls();
        match (ask(path).await, truth) {
            (Ok(response), Ok(status)) => {
                assert_eq!(response.status(), status, "{state:?}");
                let decision = response.extensions().get::<Decision>().unwrap();
                assert_eq!(decision.has_heard_github(), calls() > before, "{state:?}");
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (answer, _) => panic!("{state:?}: {answer:?}"),
        }
        let is_forbidden = limited && path == "/unknown/too";
        assert_eq!(calls() == before, is_forbidden, "{state:?}");
    }

    clock.advance(Duration::from_secs(60));
    let before = calls();
    let stale = told_by(ask("/known").await.unwrap()).await;
    let detail = match state {
        // It costs nothing.
        GitHub::Spent => "hit; detail=revalidated",
        _ => "hit; detail=stale",
    };
    assert_eq!(stale, told(200, detail, "body"), "{state:?}");
    assert_eq!(calls() == before, state == GitHub::TooFast, "{state:?}");
}

#[tokio::test(start_paused = true)]
async fn known_things_are_answered_at_remaining_0() {
    holds(GitHub::Spent, Ok(403)).await;
}

#[tokio::test(start_paused = true)]
async fn known_things_are_answered_where_github_answers_429() {
    holds(GitHub::TooFast, Ok(429)).await;
}

#[tokio::test(start_paused = true)]
async fn known_things_are_answered_where_github_answers_500() {
    holds(GitHub::Broken, Ok(500)).await;
}

#[tokio::test(start_paused = true)]
async fn known_things_are_answered_where_github_hangs() {
    holds(GitHub::Hanging, Err("did not answer within")).await;
}

#[tokio::test(start_paused = true)]
async fn known_things_are_answered_where_github_is_gone() {
    holds(GitHub::Gone, Err("cannot reach")).await;
}
