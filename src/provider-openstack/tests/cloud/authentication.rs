//! Credentials, tokens, regions.

use std::sync::Arc;

use serde_json::json;

use super::bed::{self, NETWORK, done, read, text, words};
use super::server::Server;

#[tokio::test]
async fn each_kind_of_credential_is_sent_as_keystone_wants_it() {
    let server = Server::new();
    let url = format!("http://{}", server.address);
    let password = json!({ "identity": {
        "methods": ["password"],
        "password": { "user": { "name": "anna", "domain": { "name": "CERN" }, "password": "hunter2" } },
    }, "scope": { "project": { "name": "physics", "domain": { "id": "default" } } } });
    for (block, expected) in [
        (
            json!({ "auth_url": url, "user_name": "anna", "user_domain_name": "CERN", "password": "hunter2", "tenant_name": "physics" }),
            password,
        ),
        (
            json!({ "auth_url": format!("{url}/v3/"), "user_id": "u1", "password": "hunter2", "tenant_id": "p1" }),
            json!({ "identity": { "methods": ["password"], "password": { "user": { "id": "u1", "password": "hunter2" } } },
                    "scope": { "project": { "id": "p1" } } }),
        ),
        (
            json!({ "auth_url": url, "application_credential_id": "a1", "application_credential_secret": "hunter2", "tenant_name": "x" }),
            json!({ "identity": { "methods": ["application_credential"], "application_credential": { "id": "a1", "secret": "hunter2" } } }),
        ),
        (
            json!({ "auth_url": url, "application_credential_name": "robot", "user_name": "anna", "application_credential_secret": "hunter2" }),
            json!({ "identity": { "methods": ["application_credential"], "application_credential": {
                "name": "robot", "user": { "name": "anna", "domain": { "id": "default" } }, "secret": "hunter2" } } }),
        ),
        (
            json!({ "auth_url": url, "token": "hunter2", "tenant_id": "p1" }),
            json!({ "identity": { "methods": ["token"], "token": { "id": "hunter2" } }, "scope": { "project": { "id": "p1" } } }),
        ),
        (
            json!({ "auth_url": url, "user_id": "u1", "password": "hunter2", "system_scope": true }),
            json!({ "identity": { "methods": ["password"], "password": { "user": { "id": "u1", "password": "hunter2" } } },
                    "scope": { "system": { "all": true } } }),
        ),
        (
            json!({ "auth_url": url, "user_id": "u1", "password": "hunter2", "domain_name": "cms" }),
            json!({ "identity": { "methods": ["password"], "password": { "user": { "id": "u1", "password": "hunter2" } } },
                    "scope": { "domain": { "name": "cms" } } }),
        ),
    ] {
        bed::bed().configure(&block).await.unwrap_or_else(|found| panic!("{}", words(&found)));
        let sent = server.asked("POST", "/v3/auth/tokens").pop().unwrap().body;
        assert_eq!(sent["auth"], expected, "{block}");
    }
}

#[tokio::test]
async fn what_is_missing_or_refused_is_told_without_secrets() {
    let server = Server::new();
    let url = format!("http://{}", server.address);
    for (block, expected) in [
        (json!({}), "Missing address of the cloud"),
        (json!({ "auth_url": "keystone.cern.ch" }), "Invalid address of the cloud"),
        (json!({ "auth_url": url }), "Nothing says who asks"),
        (json!({ "auth_url": url, "user_name": "anna" }), "neither a password nor a token"),
        (json!({ "auth_url": url, "application_credential_id": "a1" }), "without its secret"),
        (
            json!({ "auth_url": url, "application_credential_name": "a", "application_credential_secret": "hunter2" }),
            "needs the user",
        ),
        (json!({ "auth_url": url, "user_id": "u", "password": "hunter2", "endpoint_type": "secret" }), "endpoint_type"),
        (
            json!({ "auth_url": url, "user_id": "u", "password": "hunter2", "cacert_file": "absent.pem" }),
            "Unreadable certificate",
        ),
        (
            json!({ "auth_url": url, "user_id": "u", "password": "hunter2", "cert": "c.pem" }),
            "\"key\" must be specified",
        ),
        (
            json!({ "auth_url": url, "user_id": "u", "password": "hunter2 is wrong", "tenant_id": "p" }),
            "Check `user_name`, `password`, `user_domain_name`",
        ),
        (json!({ "auth_url": format!("{url}/elsewhere"), "token": "hunter2" }), "Check `auth_url`"),
        (json!({ "auth_url": "http://127.0.0.1:9", "token": "hunter2", "max_retries": 0 }), "could not be reached"),
    ] {
        let found = bed::bed().configure(&block).await.map(drop).unwrap_err();
        let words = words(&found);
        assert!(words.contains(expected), "{block}: {words}");
        assert!(!words.contains("hunter2"), "{words}");
    }
    let mut bed = bed::of(&server.address);
    bed.set("OS_AUTH_TYPE", "v3fedkerb");
    let found = bed.configure(&json!({})).await.map(drop).unwrap_err();
    assert!(words(&found).contains("openstack token issue"), "{}", words(&found));
}

#[tokio::test]
async fn many_calls_share_one_token_until_it_ends() {
    let server = Server::new();
    let bed = Arc::new(bed::of(&server.address));
    let networks = bed.kind(NETWORK).await;
    // The one that it was configured with counts no longer.
    server.set(|state| state.revoked = vec!["token-1".to_owned()]);
    let calls: Vec<_> = (0..8)
        .map(|number| {
            let (bed, networks) = (Arc::clone(&bed), Arc::clone(&networks));
            let given = json!({ "name": format!("n{number}") });
            tokio::spawn(async move { done(bed.create(&*networks, &given, &format!("t{number}")).await) })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(server.asked("POST", "/v3/auth/tokens").len(), 2, "one when it is configured, and one for all calls");

    // A token that is about to end is not begun with.
    server.set(|state| state.lifetime = 30);
    let short = bed.kind(NETWORK).await;
    done(bed.create(&*short, &json!({ "name": "a" }), "t").await);
    done(bed.create(&*short, &json!({ "name": "b" }), "t").await);
    assert!(server.asked("POST", "/v3/auth/tokens").len() >= 5, "one when it is configured, and one for each call");
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let networks = bed.kind(NETWORK).await;
    server.set(|state| state.revoked = vec!["token-1".to_owned()]);
    let made = done(bed.create(&*networks, &json!({ "name": "a" }), "t").await);
    assert_eq!(text(&made, "id"), "net-1");
    let tokens: Vec<_> =
        server.asked("POST", "/v2.0/networks").into_iter().map(|request| request.token.unwrap()).collect();
    assert_eq!(tokens, ["token-1", "token-2"]);

    server.set(|state| state.revoked = (1..9).map(|number| format!("token-{number}")).collect());
    let outcome = bed.create(&*networks, &json!({ "name": "b" }), "t").await;
    assert!(words(&outcome.diagnostics).contains("401"), "{}", words(&outcome.diagnostics));
    assert_eq!(server.asked("POST", "/v2.0/networks").len(), 4, "once more, and not for ever");
}

#[tokio::test]
async fn services_are_looked_for_where_an_object_is() {
    let server = Server::new();
    let bed = bed::of(&server.address);
    let kinds = bed.configure(&json!({})).await.unwrap();
    let networks = &kinds.resources[NETWORK];
    let made = done(bed.create(&**networks, &json!({ "region": "pdc" }), "t").await);
    assert_eq!(text(&made, "region"), "pdc");
    assert!(read(&**networks, &bed.cx("t"), &made).await.is_some());
    let outcome = bed.create(&**networks, &json!({ "region": "geneva" }), "t").await;
    assert!(words(&outcome.diagnostics).contains("it does in: cern, pdc"), "{}", words(&outcome.diagnostics));
    let outcome = bed.create(&*kinds.resources["openstack_compute_keypair_v2"], &json!({ "name": "k" }), "t").await;
    assert!(words(&outcome.diagnostics).contains("no service `compute`"), "{}", words(&outcome.diagnostics));

    let overridden = json!({ "endpoint_overrides": { "network": format!("http://{}/v2.0/", server.address) } });
    let kinds = bed.configure(&overridden).await.unwrap();
    done(bed.create(&*kinds.resources[NETWORK], &json!({}), "t").await);
}

#[tokio::test]
async fn what_the_block_says_counts_whatever_the_environment_says_otherwise() {
    let server = Server::new();
    let mut bed = bed::bed();
    for (name, value) in [
        ("OS_AUTH_URL", format!("http://{}/v3", server.address).as_str()),
        ("OS_AUTH_TYPE", "v3applicationcredential"),
        ("OS_APPLICATION_CREDENTIAL_ID", "theirs"),
        ("OS_APPLICATION_CREDENTIAL_SECRET", "hunter2"),
        ("OS_PROJECT_ID", "p-env"),
        ("OS_PROJECT_DOMAIN_ID", "d-env"),
        ("OS_USER_ID", "u-env"),
        ("OS_USER_DOMAIN_ID", "d-env"),
        ("OS_PASSWORD", "of the environment"),
        ("OS_SYSTEM_SCOPE", "all"),
    ] {
        bed.set(name, value);
    }
    let user = |user: serde_json::Value| json!({ "methods": ["password"], "password": { "user": user } });
    let project = |name: &str, domain: serde_json::Value| json!({ "project": { "name": name, "domain": domain } });
    let of_env = json!({ "id": "d-env" });
    for (block, identity, scope) in [
        (
            json!({ "user_name": "anna", "password": "p", "tenant_name": "physics" }),
            user(json!({ "name": "anna", "domain": of_env, "password": "p" })),
            project("physics", of_env.clone()),
        ),
        (
            json!({ "user_name": "anna", "user_domain_name": "CERN", "tenant_name": "physics", "project_domain_name": "CERN" }),
            user(json!({ "name": "anna", "domain": { "name": "CERN" }, "password": "of the environment" })),
            project("physics", json!({ "name": "CERN" })),
        ),
        (
            json!({ "user_name": "anna", "password": "p", "domain_name": "CERN", "tenant_name": "physics" }),
            user(json!({ "name": "anna", "domain": { "name": "CERN" }, "password": "p" })),
            project("physics", json!({ "name": "CERN" })),
        ),
        (
            json!({ "token": "t", "tenant_name": "physics" }),
            json!({ "methods": ["token"], "token": { "id": "t" } }),
            project("physics", of_env.clone()),
        ),
        (
            json!({ "application_credential_name": "ci", "application_credential_secret": "s", "user_name": "anna" }),
            json!({ "methods": ["application_credential"], "application_credential": {
                "name": "ci", "user": { "name": "anna", "domain": of_env }, "secret": "s" } }),
            serde_json::Value::Null,
        ),
        (
            json!({ "application_credential_id": "ours" }),
            json!({ "methods": ["application_credential"], "application_credential": { "id": "ours", "secret": "hunter2" } }),
            serde_json::Value::Null,
        ),
        (
            json!({}),
            json!({ "methods": ["application_credential"], "application_credential": { "id": "theirs", "secret": "hunter2" } }),
            serde_json::Value::Null,
        ),
    ] {
        bed.configure(&block).await.unwrap_or_else(|found| panic!("{block}: {}", words(&found)));
        let auth = server.asked("POST", "/v3/auth/tokens").pop().unwrap().body["auth"].clone();
        assert_eq!((&auth["identity"], &auth["scope"]), (&identity, &scope), "{block}");
    }
}
