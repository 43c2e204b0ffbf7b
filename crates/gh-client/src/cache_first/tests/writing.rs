//! github.md, "Writes": what nobody reads any more.

use super::*;

#[tokio::test]
async fn a_write_voids_what_the_writer_reads_next() {
    let fixture = Fixture::new(|asked| answer(200, &[], asked.uri().path().to_owned()));
    let path = "/repos/o/r/issues";
    let read = async || {
        let response = fixture
            .respond(get(path, &[("authorization", "token t")]))
            .await;
        told_by(response).await.1
    };
    assert_eq!(
        (read().await, read().await),
        ("fwd=uri-miss".into(), "hit".into())
    );
    let write = Request::post(path).header("authorization", "token t");
    fixture.respond(write.body(Body::full("{}")).unwrap()).await;
    assert_eq!(
        (read().await, read().await),
        ("fwd=uri-miss".into(), "hit".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_write_is_seen_by_who_reads_next_on_another_member() {
    let members = members(Sharing::Token, |asked| match *asked.method() {
        Method::POST => answer(201, &[], "done"),
        _ => github(asked, "body"),
    });
    let issues = || get("/repos/o/r/issues", &[("authorization", "token t")]);
    for told in ["fwd=uri-miss", "hit; detail=peer"] {
        let member = usize::from(told.starts_with("hit"));
        let response = members[member].respond(issues()).await;
        assert_eq!(told_by(response).await.1, told);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let post = Request::post("/repos/o/r/issues").header("authorization", "token t");
    members[0]
        .respond(post.body(Body::full("{}")).unwrap())
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let only = [
        ("authorization", "token t"),
        ("cache-control", "only-if-cached, max-stale"),
    ];
    for member in &members {
        let void = member.respond(get("/repos/o/r/issues", &only)).await;
        assert_eq!(void.status(), 504);
    }
}

/// Of two members one reads while the other writes, and is answered as before the write.
#[tokio::test(start_paused = true)]
async fn an_older_copy_does_not_come_back_on_any_member() {
    let arrived = Arc::new(tokio::sync::Notify::new());
    let (late, reads) = (Arc::clone(&arrived), std::sync::atomic::AtomicUsize::new(0));
    let members = members(Sharing::Token, move |asked| {
        if *asked.method() == Method::POST {
            return answer(201, &[], "done");
        }
        if reads.fetch_add(1, Ordering::Relaxed) > 0 {
            return answer(200, &[], "new");
        }
        let late = Arc::clone(&late);
        let old = futures::stream::once(async move {
            late.notified().await;
            let old = http_body::Frame::data(bytes::Bytes::from_static(b"old"));
            Ok::<_, std::convert::Infallible>(old)
        });
        let mut response = answer(200, &[], "");
        *response.body_mut() = Body::streaming(http_body_util::StreamBody::new(old));
        response
    });
    let issues = || get("/repos/o/r/issues", &[("authorization", "token t")]);
    let reading = tokio::spawn(members[1].service.clone().oneshot(issues()));
    while members[1].calls() == 0 {
        tokio::task::yield_now().await;
    }
    members[0].wait(5).await;
    let post = Request::post("/repos/o/r/issues").header("authorization", "token t");
    let post = post.body(Body::full("{}")).unwrap();
    assert_eq!(members[0].respond(post).await.status(), 201);
    tokio::time::sleep(Duration::from_secs(1)).await;

    arrived.notify_one();
    assert_eq!(reading.await.unwrap().unwrap().status(), 200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for member in &members {
        for _ in 0..2 {
            assert_eq!(told_by(member.respond(issues()).await).await.2, "new");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn writes_of_one_moment_are_all_sent_each_once_and_none_is_kept() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let fixture = Fixture::new(|_| answer(502, &[], "it may be done"));
        let write = || {
            let write = Request::builder().method(&method).uri("/repos/o/r/issues");
            fixture.respond(write.body(Body::full("{}")).unwrap())
        };
        for response in futures::future::join_all([write(), write(), write()]).await {
            let expected = told(502, "fwd=method", "it may be done");
            assert_eq!(told_by(response).await, expected, "{method}");
        }
        assert_eq!(fixture.calls(), 3, "{method}");
        assert_eq!(fixture.cache.stats().entries, 0);
    }
}
