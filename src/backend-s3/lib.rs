//! States and artifacts in a bucket of Amazon S3, Ceph RGW, SeaweedFS, or whoever else speaks S3: the backend `s3`, the artifact store `s3`.
//!
//! Owns the arguments of the blocks, which are those of Terraform's backend of the same name. Who signs, the client, how objects are carried, and how answers
//! of such servers are to be understood is `pipectl_s3_client`'s. What a state is made of in an object store, who may write it and how calls are repeated is
//! [`pipectl_state::RemoteStore`]'s; what is shared of artifacts is `pipectl_artifact::SharedStore`'s.

mod artifacts;
mod backend;
mod bucket;
mod objects;
mod settings;

pub use artifacts::{S3Artifacts, S3Shared};
pub use backend::S3;
pub use objects::S3Objects;
pub use settings::Settings;
