//! A file that several threads read at the same time: every read says where it begins, so that none moves the place of another.
//!
//! Clones of a [`File`] share one place in it. Parquet readers of one file in several threads would then read what others have sought.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use ::parquet::errors::Result;
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

/// The file. Clones are cheap.
#[derive(Clone, Debug)]
pub(crate) struct SharedFile(Arc<File>);

impl SharedFile {
    pub(crate) fn new(file: File) -> Self {
        Self(Arc::new(file))
    }

    fn read_at(&self, buffer: &mut [u8], start: u64) -> io::Result<usize> {
        #[cfg(unix)]
        return std::os::unix::fs::FileExt::read_at(&*self.0, buffer, start);
        #[cfg(windows)]
        return std::os::windows::fs::FileExt::seek_read(&*self.0, buffer, start);
    }
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.0.metadata().map_or(0, |metadata| metadata.len())
    }
}

impl ChunkReader for SharedFile {
    type T = io::BufReader<Rest>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(io::BufReader::new(Rest { file: self.clone(), next: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut reader = Rest { file: self.clone(), next: start }.take(length as u64);
        // A damaged footer may ask for more than there is.
        let there = usize::try_from(self.len().saturating_sub(start)).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(length.min(there));
        reader.read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(::parquet::errors::ParquetError::EOF(format!(
                "{length} bytes are expected from byte {start} on, and there are {}",
                bytes.len()
            )));
        }
        Ok(bytes.into())
    }
}

/// What follows a place in a file.
#[derive(Debug)]
pub(crate) struct Rest {
    file: SharedFile,
    next: u64,
}

impl Read for Rest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.next)?;
        self.next += read as u64;
        Ok(read)
    }
}
