//! The habits of services: pages, tags, retry tokens, work requests, clocks.

use std::sync::Arc;
use std::time::Duration;

use pipectl_http::Method;
use pipectl_oci_client::work_request::{Progress, WorkRequest};
use pipectl_oci_client::{Credential, Endpoint, Service, Signer, retry_token};
use serde_json::json;

use super::keys::key;
use super::server::{Server, client, clock, ok};

fn endpoint(server: &Server, service: Service) -> Endpoint {
    let credential = Credential::ApiKey { key_id: "t/u/f".to_owned(), key: key() };
    let client = client().signing_with(Arc::new(Signer::new(credential, clock)));
    Endpoint::new(client, service, &server.address, Arc::new(clock), Arc::new(|_| {})).unwrap()
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    let server = Server::new(|asked| match asked.path.as_str() {
        "/20160918/vcns?compartmentId=a%20b" => (200, vec![("opc-next-page", "p+2".to_owned())], "[1, 2]".to_owned()),
        "/20160918/vcns?compartmentId=a%20b&page=p%2B2" => ok("[3]"),
        _ => (404, Vec::new(), String::new()),
    });
    let listed = endpoint(&server, Service::Core).list(&["vcns"], &[("compartmentId", "a b")]).await.unwrap();
    assert_eq!(listed, [json!(1), json!(2), json!(3)]);
}

#[tokio::test]
async fn pages_that_go_in_a_circle_are_read_once() {
    for circle in [vec!["a"], vec!["a", "b"], vec!["a", "b", "c"]] {
        let length = circle.len();
        let server = Server::new(move |asked| {
            let page = asked.path.split("page=").nth(1).unwrap_or_default();
            let place = circle.iter().position(|name| *name == page);
            let next = place.map_or(0, |place| (place + 1) % circle.len());
            (200, vec![("opc-next-page", circle[next].to_owned())], format!("[\"{page}\"]"))
        });
        let listed = endpoint(&server, Service::Core).list(&["vcns"], &[]).await.expect("every page is answered");
        assert_eq!(listed.len(), length + 1, "{listed:?}");
        assert_eq!(server.asked().len(), length + 1);
    }
}

#[tokio::test]
async fn versions_are_named_and_retries_are_marked() {
    let server = Server::new(|asked| match asked.method.as_str() {
        "GET" => (200, vec![("etag", "\"v1\"".to_owned())], json!({ "id": "x" }).to_string()),
        _ => ok("{}"),
    });
    let endpoint = endpoint(&server, Service::Identity);
    let seen = endpoint.look(&endpoint.call(Method::GET, &["users", "a/b"], &[])).await.unwrap().unwrap();
    let call = endpoint.call(Method::PUT, &["users", "a/b"], &[]).json(&json!({}));
    endpoint.send(&endpoint.only_if(call, seen.etag.as_deref())).await.unwrap();
    let call = endpoint.call(Method::POST, &["users"], &[]).json(&json!({}));
    endpoint.send(&endpoint.once(call, &retry_token("call", b"{}"))).await.unwrap();
    let asked = server.asked();
    assert_eq!((asked[1].path.as_str(), asked[1].header("if-match")), ("/20160918/users/a%2Fb", "\"v1\""));
    assert_eq!(asked[2].header("opc-retry-token").len(), 64);
    assert_eq!(asked[2].header("content-length"), "2");
}

#[tokio::test]
async fn a_wrong_clock_is_told() {
    for (seconds, expected) in
        [(-750, Some("12 minutes ahead of OCI's (")), (750, Some("12 minutes behind")), (60, None)]
    {
        let server = Server::new(move |_| {
            let now = clock();
            let there =
                if seconds < 0 { now - Duration::from_secs(750) } else { now + Duration::from_secs(seconds as u64) };
            let body = json!({ "code": "NotAuthenticated", "message": "The required information is missing." });
            (401, vec![("date", httpdate::fmt_http_date(there))], body.to_string())
        });
        let endpoint = endpoint(&server, Service::Core);
        let failed =
            endpoint.send(&endpoint.call(Method::GET, &["vcns"], &[])).await.unwrap_err().diagnostic("Reading failed");
        match expected {
            Some(expected) => {
                assert!(failed.summary == "Clock is wrong" && failed.detail.contains(expected), "{}", failed.detail)
            }
            None => assert!(
                failed.detail.contains("(NotAuthenticated)") && failed.hints[0].contains("openssl rsa"),
                "{failed:?}"
            ),
        }
    }
}

#[tokio::test]
async fn work_requests_tell_what_became_of_them() {
    let server = Server::new(|asked| {
        let path = asked.path.trim_start_matches("/20180222/workRequests/");
        match path {
            "w1" => ok(json!({ "status": "FAILED", "compartmentId": "c", "resources": [
                { "entityType": "subnet", "identifier": "s" }, { "entityType": "nodepool", "identifier": "n", "actionType": "FAILED" },
            ] })
            .to_string()),
            "w1/errors?compartmentId=c" => {
                (200, vec![("opc-next-page", "2".to_owned())], json!([{ "code": "LimitExceeded", "message": "No GPUs left." }]).to_string())
            }
            "w1/errors?compartmentId=c&page=2" => ok(json!([{ "message": "Node failed" }]).to_string()),
            "w2" => ok(json!({ "status": "CANCELED", "compartmentId": "c" }).to_string()),
            "w2/errors?compartmentId=c" => ok("[]"),
            "w2/logs?compartmentId=c" => {
                ok(json!([{ "message": "a" }, { "message": "b" }, { "message": "c" }, { "message": "d" }]).to_string())
            }
            "w3" => (404, Vec::new(), json!({ "code": "NotAuthorizedOrNotFound", "message": "" }).to_string()),
            _ => (404, Vec::new(), "<html>Not here</html>".to_owned()),
        }
    });
    let endpoint = endpoint(&server, Service::ContainerEngine);
    let work = WorkRequest::look(&endpoint, "w1").await.unwrap().unwrap();
    assert_eq!((work.progress(), work.resource("NodePool").as_deref()), (Progress::Failed, Some("n")));
    assert_eq!(work.reasons(&endpoint).await.unwrap(), ["No GPUs left (LimitExceeded)", "Node failed"]);
    let work = WorkRequest::look(&endpoint, "w2").await.unwrap().unwrap();
    assert_eq!((work.progress(), work.resource("cluster")), (Progress::Failed, None));
    assert_eq!(work.reasons(&endpoint).await.unwrap(), ["b", "c", "d"], "without errors, the end of the log");
    assert!(WorkRequest::look(&endpoint, "w3").await.unwrap().is_none());
    assert!(WorkRequest::look(&endpoint, "w4").await.is_err(), "a proxy knows nothing of it");
}
