//! What settings come to.

use std::io;
use std::sync::{Arc, Mutex};

use cache_crypto::SecretKind;

use super::*;

const SECRET: &str = "ghmesh_000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

async fn resolve(settings: Settings, env: &Env) -> Result<Config, ConfigError> {
    Config::resolve(settings, env).await
}

/// Sharing is off unless a test is about it: `gh` may be logged in where the test runs.
fn alone() -> Settings {
    Settings {
        p2p: Some(false),
        ..Settings::default()
    }
}

fn data_dir() -> Settings {
    Settings {
        data_dir: Some("/var/cache/ghmesh".into()),
        ..alone()
    }
}

#[tokio::test]
async fn the_defaults_are_what_the_help_says() {
    let config = resolve(alone(), &Env::default()).await.unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8417");
    assert_eq!(config.upstream, "https://api.github.com");
    assert_eq!(config.default_ttl, Duration::from_secs(300));
    assert_eq!(config.stale_for, Duration::from_secs(86_400));
    assert_eq!(config.max_memory, 256 << 20);
    assert_eq!(config.disk, None, "nothing to seal it with");
    assert!(config.injected_token.is_none());
}

#[tokio::test]
async fn a_fleet_with_a_secret_keeps_its_entries_on_disk_unless_told_otherwise() {
    let env = Env::from([("CACHE_P2P_SHARED_SECRET", SECRET)]);
    let shared = Settings {
        data_dir: Some("/var/cache/ghmesh".into()),
        ..Settings::default()
    };
    let config = resolve(shared.clone(), &env).await.unwrap();
    let expected = Disk {
        dir: "/var/cache/ghmesh".into(),
        max_bytes: 2 << 30,
    };
    assert_eq!(config.disk, Some(expected));
    let in_memory = Settings {
        memory_only: Some(true),
        ..shared
    };
    let config = resolve(in_memory, &env).await.unwrap();
    assert_eq!(config.disk, None);
}

#[tokio::test]
async fn the_socket_is_where_it_was_asked_for_else_where_the_system_keeps_sockets() {
    let env = Env::from([("XDG_RUNTIME_DIR", "/run/user/1000")]);
    let socket = resolve(alone(), &env).await.unwrap().unix;
    assert_eq!(socket.path, Path::new("/run/user/1000/ghmesh.sock"));
    assert!(!socket.required);

    let socket = resolve(data_dir(), &env).await.unwrap().unix;
    assert_eq!(socket.path, Path::new("/run/user/1000/ghmesh.sock"));

    let socket = resolve(data_dir(), &Env::default()).await.unwrap().unix;
    assert_eq!(socket.path, Path::new("/var/cache/ghmesh/ghmesh.sock"));
    assert!(socket.required);

    let settings = Settings {
        listen_unix: Some("/tmp/mine.sock".into()),
        ..data_dir()
    };
    let socket = resolve(settings, &env).await.unwrap().unix;
    assert_eq!(socket.path, Path::new("/tmp/mine.sock"));
}

#[tokio::test]
async fn a_secret_switches_sharing_on() {
    let env = Env::from([("CACHE_P2P_SHARED_SECRET", SECRET)]);
    let config = resolve(Settings::default(), &env).await.unwrap();
    let Sharing::On { secrets, net } = config.sharing else {
        panic!("off")
    };
    assert_eq!(secrets.current.expose(), SECRET);
    assert!(secrets.previous.is_none());
    assert_eq!(net.listen[0].to_string(), "/ip4/0.0.0.0/tcp/9100");
}

#[tokio::test]
async fn the_secret_of_the_fleet_counts_for_more_than_the_token() {
    let env = Env::from([
        ("CACHE_P2P_SHARED_SECRET", SECRET),
        ("GH_TOKEN", "ghp_token"),
    ]);
    let config = resolve(Settings::default(), &env).await.unwrap();
    assert!(
        matches!(config.sharing, Sharing::On { secrets, .. } if secrets.current.expose() == SECRET)
    );
}

#[tokio::test]
async fn a_secret_that_is_none_is_refused_with_the_remedy_and_without_its_value() {
    let env = Env::from([("CACHE_P2P_SHARED_SECRET", "hunter2")]);
    let error = resolve(Settings::default(), &env)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("CACHE_P2P_SHARED_SECRET"), "{error}");
    assert!(
        error.contains("ghmesh secret new") && !error.contains("hunter2"),
        "{error}"
    );
}

const PREVIOUS: &str = "ghmesh_f0f1f2f3f4f5f6f7f8f9fafbfcfdfefff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";

/// The secrets of a node whose sharing is on.
fn secrets(config: Config) -> Secrets {
    match config.sharing {
        Sharing::On { secrets, .. } => *secrets,
        Sharing::Off => panic!("off"),
    }
}

#[tokio::test]
async fn the_previous_secret_comes_from_a_file_else_from_the_environment() {
    let env = Env::from([
        ("CACHE_P2P_SHARED_SECRET", SECRET),
        ("CACHE_P2P_PREVIOUS_SECRET", PREVIOUS),
    ]);
    let config = resolve(Settings::default(), &env).await.unwrap();
    let found = secrets(config);
    assert_eq!(found.current.expose(), SECRET);
    assert_eq!(found.previous.unwrap().expose(), PREVIOUS);

    // tempfile makes files for their owner alone.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, SECRET).unwrap();
    let settings = Settings {
        previous_secret_file: Some(file.path().to_owned()),
        ..Settings::default()
    };
    let config = resolve(settings, &env).await.unwrap();
    assert_eq!(secrets(config).previous.unwrap().expose(), SECRET);
}

#[tokio::test]
async fn a_previous_secret_that_is_none_is_refused_by_name_and_without_its_value() {
    let env = Env::from([
        ("CACHE_P2P_SHARED_SECRET", SECRET),
        ("CACHE_P2P_PREVIOUS_SECRET", "hunter2"),
    ]);
    let refused = |settings| async { resolve(settings, &env).await.unwrap_err().to_string() };
    let error = refused(Settings::default()).await;
    assert!(error.starts_with("CACHE_P2P_PREVIOUS_SECRET"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");

    let settings = Settings {
        previous_secret_file: Some("/nowhere/secret".into()),
        ..Settings::default()
    };
    let error = refused(settings).await;
    assert!(error.starts_with("--previous-secret-file"), "{error}");
    assert!(error.contains("/nowhere/secret"), "{error}");
}

#[tokio::test]
async fn a_previous_secret_alone_makes_no_member() {
    let env = Env::from([
        ("CACHE_P2P_PREVIOUS_SECRET", PREVIOUS),
        ("GH_TOKEN", "short"),
    ]);
    let config = resolve(Settings::default(), &env).await.unwrap();
    assert!(matches!(config.sharing, Sharing::Off));
}

#[tokio::test]
async fn a_jobs_own_token_as_the_secret_is_warned_of_under_actions_alone() {
    let token = format!("ghs_{}", "x".repeat(36));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, &token).unwrap();
    let in_file = Settings {
        secret_file: Some(file.path().to_owned()),
        ..Settings::default()
    };
    // However it comes to be the secret.
    for (variable, settings) in [
        ("GITHUB_TOKEN", Settings::default()),
        ("CACHE_P2P_SHARED_SECRET", Settings::default()),
        ("UNRELATED", in_file),
    ] {
        for (actions, warned) in [("true", true), ("", false)] {
            let log = Log::start();
            let env = Env::from([(variable, token.as_str()), ("GITHUB_ACTIONS", actions)]);
            let config = resolve(settings.clone(), &env).await.unwrap();
            assert_eq!(
                secrets(config).current.kind(),
                SecretKind::InstallationToken
            );
            let text = log.text();
            assert_eq!(
                text.contains("this fleet will have one member"),
                warned,
                "{text}"
            );
            assert_eq!(text.contains("CACHE_P2P_SHARED_SECRET"), warned, "{text}");
            assert!(!text.contains(&token), "{text}");
        }
    }
}

/// What this thread logs while it lives.
struct Log {
    lines: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Log {
    fn start() -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&lines);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || Lines(Arc::clone(&writer)))
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        Self { lines, _guard }
    }

    fn text(&self) -> String {
        String::from_utf8(self.lines.lock().unwrap().clone()).unwrap()
    }
}

struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_without_its_value() {
    let env = Env::from([("GH_TOKEN", "two words")]);
    let error = resolve(alone(), &env).await.unwrap_err().to_string();
    assert!(
        error.starts_with("GH_TOKEN") && !error.contains("two words"),
        "{error}"
    );
}

/// A file for its owner alone, as tempfile makes them.
fn file(content: &str) -> (tempfile::NamedTempFile, Settings) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, content).unwrap();
    let settings = Settings {
        token_file: Some(file.path().to_owned()),
        inject_token: Some(true),
        ..alone()
    };
    (file, settings)
}

#[tokio::test]
async fn a_token_comes_from_a_file_before_the_environment() {
    let (_file, settings) = file("ghp_in_the_file\n");
    let env = Env::from([("GH_TOKEN", "ghp_in_the_environment")]);
    let config = resolve(settings, &env).await.unwrap();
    assert_eq!(config.injected_token.unwrap().expose(), "ghp_in_the_file");
}

#[cfg(unix)]
#[tokio::test]
async fn a_tokens_file_is_guarded_as_a_secrets_file_is() {
    let (kept, settings) = file("ghp_hunter2");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(&kept, open).unwrap();
    let said = |settings| async {
        let error = resolve(settings, &Env::default()).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.starts_with("--token-file"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        said
    };
    assert!(said(settings).await.contains("chmod 600"));

    let (_kept, settings) = file("hunter2 words");
    assert!(said(settings).await.contains("one word"));
    let (_kept, settings) = file(&"hunter2".repeat(1000));
    assert!(said(settings).await.contains("more than 4096 bytes"));
    let directory = Settings {
        token_file: Some(std::env::temp_dir()),
        ..alone()
    };
    assert!(said(directory).await.contains("is not a file"));
}

#[tokio::test]
async fn a_token_or_a_secret_in_the_place_of_a_files_name_is_not_shown() {
    let token = "ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i";
    let (secret, _) = file(SECRET);
    for pasted in [token, SECRET, "correct horse battery staple"] {
        let path = Some(PathBuf::from(pasted));
        let misplaced = [
            Settings {
                token_file: path.clone(),
                ..alone()
            },
            Settings {
                secret_file: path.clone(),
                ..Settings::default()
            },
            Settings {
                secret_file: Some(secret.path().to_owned()),
                previous_secret_file: path,
                ..Settings::default()
            },
        ];
        for settings in misplaced {
            let error = resolve(settings, &Env::default()).await.unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.contains("-file: there is no such file"), "{said}");
            assert!(!said.contains(&pasted[8..12]), "{said}");
        }
    }
}

#[tokio::test]
async fn injecting_needs_a_token() {
    let settings = Settings {
        inject_token: Some(true),
        ..alone()
    };
    let error = resolve(settings.clone(), &Env::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("--token-file"), "{error}");
    let env = Env::from([("GITHUB_TOKEN", "ghs_token")]);
    let config = resolve(settings, &env).await.unwrap();
    assert_eq!(config.injected_token.unwrap().expose(), "ghs_token");
}

#[tokio::test]
async fn no_secret_or_token_is_seen_in_the_configuration() {
    let env = Env::from([
        ("CACHE_P2P_SHARED_SECRET", SECRET),
        ("CACHE_P2P_PREVIOUS_SECRET", PREVIOUS),
        ("GH_TOKEN", "ghp_visible"),
    ]);
    let settings = Settings {
        inject_token: Some(true),
        ..Settings::default()
    };
    let shown = format!("{:?}", resolve(settings, &env).await.unwrap());
    assert!(
        ["0001020304", "f0f1f2f3f4", "ghp_visible"]
            .iter()
            .all(|secret| !shown.contains(secret)),
        "{shown}"
    );
}

#[tokio::test]
async fn a_token_that_makes_no_secret_leaves_sharing_off_unless_it_is_asked_for() {
    let env = Env::from([("GITHUB_TOKEN", "short")]);
    let config = resolve(Settings::default(), &env).await.unwrap();
    assert!(matches!(config.sharing, Sharing::Off));
    let settings = Settings {
        p2p: Some(true),
        ..Settings::default()
    };
    let error = resolve(settings, &env).await.unwrap_err().to_string();
    assert!(
        error.contains("CACHE_P2P_SHARED_SECRET") && !error.contains("short;"),
        "{error}"
    );
}

#[tokio::test]
async fn an_upstream_that_is_no_url_is_refused_by_name() {
    let settings = Settings {
        upstream: Some("github.corp".to_owned()),
        ..alone()
    };
    let error = resolve(settings, &Env::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("--upstream") && error.contains("github.corp"),
        "{error}"
    );
}

#[tokio::test]
async fn a_secret_in_the_place_of_the_upstream_is_not_shown() {
    for pasted in [
        SECRET,
        "ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i",
        "correct horse battery staple",
        "https://octocat:hunter2@github.example",
    ] {
        let settings = Settings {
            upstream: Some(pasted.to_owned()),
            ..alone()
        };
        let error = resolve(settings, &Env::default()).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains("--upstream"), "{said}");
        assert!(!said.contains(&pasted[8..20]), "{said}");
    }
}
