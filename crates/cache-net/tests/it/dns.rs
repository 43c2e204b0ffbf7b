//! A name server for the tests: it answers every question for one name, from records that change.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in test functions only"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, TXT};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use hickory_resolver::proto::serialize::binary::BinDecodable;
use tokio::net::UdpSocket;

/// What the name server has, under whatever name it is asked for.
#[derive(Clone, Default)]
pub(crate) struct Zone(Arc<Mutex<Vec<RData>>>);

impl Zone {
    pub(crate) fn addresses(&self, ips: &[Ipv4Addr]) {
        *self.0.lock().unwrap() = ips.iter().map(|ip| RData::A(A(*ip))).collect();
    }

    pub(crate) fn texts(&self, texts: &[String]) {
        let texts = texts.iter().map(|text| TXT::new(vec![text.clone()]));
        *self.0.lock().unwrap() = texts.map(RData::TXT).collect();
    }

    /// Answers questions for as long as the test runs.
    pub(crate) async fn serve(&self) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let place = socket.local_addr().unwrap();
        let zone = self.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_bytes(&buffer[..len]).unwrap();
                let answer = zone.answer(&question).to_vec().unwrap();
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        place
    }

    fn answer(&self, question: &Message) -> Message {
        let mut answer = Message::new(question.id, MessageType::Response, OpCode::Query);
        let records = self.0.lock().unwrap();
        answer.metadata.response_code = match records.is_empty() {
            true => ResponseCode::NXDomain,
            false => ResponseCode::NoError,
        };
        for query in &question.queries {
            answer.add_query(query.clone());
            for data in records.iter().filter(|data| fits(data, query.query_type())) {
                answer.add_answer(Record::from_rdata(query.name().clone(), 0, data.clone()));
            }
        }
        answer
    }
}

fn fits(data: &RData, wanted: RecordType) -> bool {
    data.record_type() == wanted
}
