//! What is secret is shown nowhere: in no log, no error, no `Debug` and no `Display`.

use std::error::Error;
use std::fmt::{Debug, Display, Write as _};
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cache_core::testing::MemoryNetwork;
use cache_core::{Key, MAX_FRAME, Purpose, Sealer, Transport};
use cache_crypto::{Keyring, Sealed, Secret, SecretError};
use tracing::subscriber::DefaultGuard;

const FLEET: &str = "ghmesh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const TOKEN: &str = "ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i";
const PASSPHRASE: &str = "correct horse battery staple";
const BODY: &str = "the body of a private issue";

/// What a person could come to see, in one text.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u8>>>);

impl Seen {
    /// Everything that this thread logs goes here while the guard lives.
    fn logs(&self) -> DefaultGuard {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn debug(&self, thing: &dyn Debug) {
        self.write(&format!("{thing:?}\n{thing:#?}\n"));
    }

    fn display(&self, thing: &dyn Display) {
        self.write(&format!("{thing}\n"));
    }

    /// An error, all that caused it, and both of its forms.
    fn error(&self, error: &dyn Error) {
        self.debug(&error);
        let mut next = Some(error);
        while let Some(error) = next {
            self.display(&error);
            next = error.source();
        }
    }

    fn write(&self, text: &str) {
        self.0.lock().unwrap().extend_from_slice(text.as_bytes());
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Seen {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All secret texts, and all keys that come from them as they could be printed.
fn secrets() -> Vec<String> {
    let mut secrets = vec![BODY.to_owned()];
    for text in [FLEET, TOKEN, PASSPHRASE] {
        // A part of it is too much as well.
        let random = text
            .trim_start_matches("ghmesh_")
            .trim_start_matches("ghp_");
        secrets.push(random[..12].to_owned());
        let keyring = Keyring::new(&Secret::parse(text).unwrap()).unwrap();
        for key in [
            keyring.membership(),
            keyring.principals(),
            keyring.digests(),
        ] {
            let mut hex = String::new();
            for byte in &key.as_bytes()[..8] {
                write!(hex, "{byte:02x}").unwrap();
            }
            secrets.push(hex);
            let list = format!("{:?}", &key.as_bytes()[..4]);
            secrets.push(list.trim_matches(['[', ']']).to_owned());
        }
    }
    secrets
}

/// Shows everything that is public of a secret and what is made of it.
fn show(seen: &Seen, text: &str) {
    let secret = Secret::parse(text).unwrap();
    seen.debug(&secret);
    seen.display(&secret);
    seen.debug(&secret.kind());
    seen.display(&secret.kind());
    seen.debug(&secret.fingerprint());
    seen.display(&secret.fingerprint());
    let keyring = Keyring::new(&secret).unwrap();
    seen.debug(&keyring);
    seen.display(&keyring);
    seen.debug(keyring.membership());
    seen.debug(keyring.principals());
    seen.debug(keyring.digests());
    let key = Key::public(["GET", "/user"]);
    let sealed = keyring
        .seal(Purpose::AtRest(&key), BODY.as_bytes())
        .unwrap();
    seen.debug(&sealed);
    seen.error(&keyring.open(Purpose::Request, sealed).unwrap_err());
    let too_large = BODY.repeat(MAX_FRAME / BODY.len() + 1);
    let refused = keyring.seal(Purpose::Request, too_large.as_bytes());
    seen.error(&refused.unwrap_err());
}

/// Every error that a bad secret can give, in a text or in a file.
fn spoil(seen: &Seen, text: &str) {
    seen.error(&Secret::parse(&text[..12]).unwrap_err());
    seen.error(&Secret::parse(&text.repeat(200)).unwrap_err());
    seen.error(&Secret::parse(" ").unwrap_err());
    seen.error(&SecretError::TooShort(3));

    let file = tempfile::NamedTempFile::new().unwrap();
    for content in [
        text.as_bytes()[..12].to_vec(),
        text.repeat(200).into_bytes(),
        [text.as_bytes(), &[0xff]].concat(),
    ] {
        std::fs::write(&file, content).unwrap();
        seen.error(&Secret::read(file.path()).unwrap_err());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        std::fs::write(&file, text).unwrap();
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))
            .unwrap();
        seen.error(&Secret::read(file.path()).unwrap_err());
    }
    seen.error(&Secret::read("/nowhere/secret").unwrap_err());
    seen.error(&Secret::read(std::env::temp_dir()).unwrap_err());
    // Given in the place of a file's name.
    seen.error(&Secret::read(text).unwrap_err());
}

#[test]
fn neither_errors_nor_what_can_be_printed_show_a_secret_or_a_body() {
    let seen = Seen::default();
    let _guard = seen.logs();
    for text in [FLEET, TOKEN, PASSPHRASE] {
        show(&seen, text);
        spoil(&seen, text);
    }
    let fingerprint = "8004fa7d5a89";
    assert!(seen.text().contains(fingerprint), "nothing was seen");
    assert_silent(&seen);
}

#[tokio::test(start_paused = true)]
async fn the_log_at_its_most_talkative_shows_neither() {
    let seen = Seen::default();
    let _guard = seen.logs();
    let network = MemoryNetwork::new(1);
    let sealed = |name, secret| {
        let keyring = Keyring::new(&Secret::parse(secret).unwrap()).unwrap();
        Sealed::new(network.join(name), Arc::new(keyring))
    };
    let asking = sealed("asking", FLEET);
    let stranger = sealed("stranger", TOKEN);
    let member = sealed("member", FLEET);
    let to = member.local_peer();

    let (refused, reply, ()) = tokio::join!(
        biased;
        stranger.request(to, Bytes::from(BODY)),
        asking.request(to, Bytes::from(BODY)),
        async {
            let inbound = member.accept().await.unwrap();
            seen.debug(&inbound);
            // A reply that cannot be sealed is told of, and sent to nobody.
            inbound.reply.send(Bytes::from(BODY.repeat(MAX_FRAME / BODY.len() + 1)));
        }
    );
    seen.error(&refused.unwrap_err());
    seen.error(&reply.unwrap_err());
    seen.debug(&member);
    seen.debug(&member.unopened());

    let text = seen.text();
    assert!(text.contains("dropped what does not open"), "{text}");
    assert!(text.contains("a reply could not be sealed"), "{text}");
    assert_silent(&seen);
}

fn assert_silent(seen: &Seen) {
    let text = seen.text();
    for secret in secrets() {
        assert!(!text.contains(&secret), "{secret:?} is shown: {text}");
    }
}
