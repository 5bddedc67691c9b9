//! The provider against a real S3 server, SeaweedFS, which `tests/servers/seaweedfs up` starts. `S3_ENDPOINT` is its URL.

mod seaweedfs_peer {
    mod bed;
    mod buckets;
    mod large;
    mod lookups;
    mod objects;
    mod settings;
}
