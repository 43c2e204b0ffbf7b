//! Where a setting comes from, and what is said of one that cannot be.

use std::io::Write;

use super::*;

/// The settings of a command line, completed.
fn complete(line: &[&str], env: &Env) -> Result<Settings, String> {
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }
    let line = Line::try_parse_from([&["ghmesh"], line].concat()).unwrap();
    line.settings
        .complete(env)
        .map_err(|error| error.to_string())
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn a_flag_counts_for_more_than_the_environment_and_that_for_more_than_the_file() {
    let file = file("default-ttl = 1\nstale-for = 1\nupstream = 'http://file'");
    let path = file.path().to_str().unwrap();
    let env = Env::from([("CACHE_DEFAULT_TTL", "2"), ("GHMESH_STALE_FOR", "2")]);
    let settings = complete(&["--config", path, "--default-ttl", "3"], &env).unwrap();
    assert_eq!(settings.default_ttl, Some(3));
    assert_eq!(settings.stale_for, Some(2));
    assert_eq!(settings.upstream.as_deref(), Some("http://file"));
}

#[test]
fn the_names_of_the_original_system_work() {
    let env = Env::from([
        ("CACHE_ENABLE_P2P", "true"),
        ("CACHE_LISTEN_PORT", "9200"),
        (
            "CACHE_BOOTSTRAP_PEERS",
            "/ip4/10.0.0.1/tcp/9100,/dns4/runner/tcp/9100",
        ),
        ("CACHE_DIR", "/var/cache/ghmesh"),
        ("CACHE_DEFAULT_TTL", "60"),
    ]);
    let settings = complete(&[], &env).unwrap();
    assert_eq!(settings.p2p, Some(true));
    assert_eq!(settings.p2p_listen[0].to_string(), "/ip4/0.0.0.0/tcp/9200");
    assert_eq!(settings.bootstrap.len(), 2);
    assert_eq!(settings.data_dir, Some("/var/cache/ghmesh".into()));
    assert_eq!(settings.default_ttl, Some(60));
}

#[test]
fn a_secret_or_token_of_the_environment_counts_for_more_than_a_file_of_the_file() {
    let file = file(
        "secret-file = '/nowhere/secret'\nprevious-secret-file = '/nowhere/previous'\n\
         token-file = '/nowhere/token'",
    );
    let line = ["--config", file.path().to_str().unwrap()];
    let env = Env::from([
        ("CACHE_P2P_SHARED_SECRET", "x"),
        ("CACHE_P2P_PREVIOUS_SECRET", "y"),
        ("GH_TOKEN", "z"),
    ]);
    let given = |env| {
        let settings = complete(&line, env).unwrap();
        let files = [
            settings.secret_file,
            settings.previous_secret_file,
            settings.token_file,
        ];
        files.map(|file| file.is_some())
    };
    assert_eq!(given(&env), [false; 3]);
    assert_eq!(given(&Env::default()), [true; 3]);
}

#[test]
fn addresses_may_have_spaces_around_them() {
    let env = Env::from([(
        "CACHE_BOOTSTRAP_PEERS",
        "/ip4/10.0.0.1/tcp/1, /ip4/10.0.0.2/tcp/2",
    )]);
    assert_eq!(complete(&[], &env).unwrap().bootstrap.len(), 2);
}

#[test]
fn an_empty_variable_counts_as_absent() {
    let env = Env::from([("CACHE_BOOTSTRAP_PEERS", ""), ("CACHE_DEFAULT_TTL", "")]);
    let settings = complete(&[], &env).unwrap();
    assert!(settings.bootstrap.is_empty() && settings.default_ttl.is_none());
}

#[test]
fn a_file_may_hold_lists_numbers_and_switches() {
    let file = file(
        "bootstrap = ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.2/tcp/2']\np2p = false\nmax-memory = '1GiB'",
    );
    let settings = complete(
        &["--config", file.path().to_str().unwrap()],
        &Env::default(),
    )
    .unwrap();
    assert_eq!(settings.bootstrap.len(), 2);
    assert_eq!(settings.p2p, Some(false));
    assert_eq!(settings.max_memory, Some(ByteSize::gib(1)));
}

#[test]
fn an_error_names_its_source_and_the_value() {
    for (variable, value) in [
        ("CACHE_DEFAULT_TTL", "soon"),
        ("CACHE_LISTEN_PORT", "99999"),
        ("CACHE_BOOTSTRAP_PEERS", "10.0.0.1:9100"),
        ("CACHE_ENABLE_P2P", "maybe"),
        ("GHMESH_LISTEN", "8417"),
        ("GHMESH_MAX_MEMORY", "lots"),
        ("GHMESH_MAX_MEMORY", "0"),
        ("CACHE_BOOTSTRAP_PEERS", "/ip4/10.0.0.1/tcp/1,,"),
    ] {
        let error = complete(&[], &Env::from([(variable, value)])).unwrap_err();
        assert!(
            error.starts_with(variable) && error.contains(value),
            "{error}"
        );
        assert!(
            !error.contains("--"),
            "names a flag that nobody typed: {error}"
        );
        assert!(!error.contains('\n'), "more than a line: {error}");
    }
}

#[test]
fn a_key_that_is_no_setting_is_refused() {
    for text in ["ttl = 3", "verbose = 2", "config = 'other.toml'"] {
        let file = file(text);
        let line = ["--config", file.path().to_str().unwrap()];
        let error = complete(&line, &Env::default()).unwrap_err();
        let key = text.split(' ').next().unwrap();
        assert!(error.contains(key), "{error}");
    }
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_refused_by_name() {
    let error = complete(&["--config", "/nowhere/ghmesh.toml"], &Env::default()).unwrap_err();
    assert!(error.contains("/nowhere/ghmesh.toml"), "{error}");
    let broken = file("listen = = 3");
    let line = ["--config", broken.path().to_str().unwrap()];
    let error = complete(&line, &Env::default()).unwrap_err();
    assert!(error.contains("line 1") && !error.contains('\n'), "{error}");
}

#[test]
fn rules_for_paths_are_read_from_the_file() {
    let text = "sharing = 'fleet'\npace = 'off'\n\
                [[ttl]]\npath = '/repos/*/*/actions/**'\nseconds = 30\n\
                [[ttl]]\npath = '/meta'\nseconds = 0\n";
    let file = file(text);
    let path = file.path().to_str().unwrap();
    let settings = complete(&["--config", path], &Env::from([])).unwrap();
    let rules: Vec<_> = settings
        .ttl
        .iter()
        .map(|rule| (rule.path.to_string(), rule.ttl.as_secs()))
        .collect();
    assert_eq!(
        rules,
        [
            ("/repos/*/*/actions/**".to_owned(), 30),
            ("/meta".to_owned(), 0)
        ]
    );
    assert_eq!(settings.sharing, Some(gh_client::Sharing::Fleet));
    assert_eq!(settings.pace, Some(false));
}

#[test]
fn a_rule_that_cannot_be_is_refused_with_its_reason() {
    for (rule, reason) in [
        ("path = 'repos'\nseconds = 1", "no pattern"),
        ("path = '/x'", "seconds"),
        ("path = '/x'\nseconds = 1\nttl = 2", "ttl"),
    ] {
        let file = file(&format!("[[ttl]]\n{rule}\n"));
        let path = file.path().to_str().unwrap();
        let refused = complete(&["--config", path], &Env::from([])).unwrap_err();
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn sharing_and_pace_are_words() {
    let env = Env::from([("GHMESH_SHARING", "fleet"), ("GHMESH_PACE", "off")]);
    let settings = complete(&["--pace", "on"], &env).unwrap();
    assert_eq!(settings.pace, Some(true));
    assert_eq!(settings.sharing, Some(gh_client::Sharing::Fleet));
    let wrong = Env::from([("GHMESH_SHARING", "everybody")]);
    let refused = complete(&[], &wrong).unwrap_err();
    assert!(refused.contains("token or fleet"), "{refused}");
}

/// Things that somebody may have given in the wrong place, each with a part that tells it.
const SECRETS: [(&str, &str); 5] = [
    ("ghp_q9Xk2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0i", "LmZ7tRw"),
    (
        "ghmesh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "5566778899",
    ),
    ("k2LmZ7tRw4VbN8sYd1PfG6hJc3A5eUo0iq9Xk2LmZ7tRw4=", "LmZ7tRw"),
    ("correct horse battery staple", "battery"),
    ("http://octocat:hunter2@127.0.0.1", "hunter2"),
];

#[test]
fn a_secret_in_the_place_of_a_value_is_not_shown_whatever_the_variable() {
    // A path may be anything.
    let paths = [
        "GHMESH_LISTEN_UNIX",
        "GHMESH_UPSTREAM",
        "GHMESH_IDENTITY_FILE",
        "CACHE_DIR",
    ];
    for (variable, _) in VARIABLES {
        if paths.contains(&variable) {
            continue;
        }
        for (secret, part) in SECRETS {
            let error = complete(&[], &Env::from([(variable, secret)])).unwrap_err();
            assert!(error.starts_with(variable), "{error}");
            assert!(error.contains("looks like a secret"), "{error}");
            assert!(!error.contains(part), "{error}");
        }
    }
}

#[test]
fn a_secret_in_a_configuration_file_is_not_shown() {
    for (secret, part) in SECRETS {
        for text in [
            format!("inject-token = '{secret}'"),
            format!("log-format = '{secret}'"),
            format!("bootstrap = ['/ip4/10.0.0.1/tcp/1', '{secret}']"),
            format!("default-ttl = '{secret}'"),
            format!("'{secret}' = true"),
            format!("secret = '{secret}"),
            format!("secret-file = {secret}"),
        ] {
            let file = file(&text);
            let line = ["--config", file.path().to_str().unwrap()];
            let error = complete(&line, &Env::default()).unwrap_err();
            assert!(!error.contains(part), "{error}");
        }
        let error = complete(&["--config", secret], &Env::default()).unwrap_err();
        assert!(!error.contains(part), "{error}");
    }
}
