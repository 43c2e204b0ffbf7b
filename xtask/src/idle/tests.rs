//! What a log says of connections is counted.

use super::Told;

#[test]
fn who_came_and_who_went_is_counted() {
    let log = "INFO connected to peer 12D3 at /ip4/127.0.0.1/tcp/1 (inbound) source=inbound\n\
               DEBUG a connection is closed peer=12D3\n\
               INFO peer 12D3 is gone\n\
               INFO connected to peer 12D3 at /ip4/127.0.0.1/tcp/2 (inbound) source=inbound\n";

    let told = Told::by(log.as_bytes()).unwrap();

    assert_eq!((told.connected, told.gone), (2, 1));
}
