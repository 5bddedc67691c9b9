//! HTTP/1.1 on one connection: reads requests, writes answers. Bodies are kept in memory.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::answer::{Answer, Body};
use crate::request::Request;

/// More than any client sends.
const MOST_FIELDS: usize = 128;

/// A connection of a client.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Answers go out in one piece: waiting for more would only add a delay.
        let _ = stream.set_nodelay(true);
        Self { reader: BufReader::with_capacity(1 << 16, stream) }
    }

    /// The next request. `None`: the client has closed the connection.
    pub(crate) fn read(&mut self) -> io::Result<Option<Request>> {
        let mut head = Vec::new();
        loop {
            let read = self.reader.read_until(b'\n', &mut head)?;
            if read == 0 {
                return Ok(None);
            }
            if head.ends_with(b"\r\n\r\n") {
                break;
            }
        }
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        parsed.parse(&head).map_err(io::Error::other)?;
        let mut request = Request {
            method: parsed.method.unwrap_or_default().to_owned(),
            target: parsed.path.unwrap_or_default().to_owned(),
            fields: parsed
                .headers
                .iter()
                .map(|field| (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).trim().to_owned()))
                .collect(),
            body: Vec::new(),
        };
        let length = request.field("content-length").and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
        let is_chunked =
            request.field("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let waits = request.field("expect").is_some_and(|expected| expected.eq_ignore_ascii_case("100-continue"));
        if waits && (length > 0 || is_chunked) {
            self.reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        match is_chunked {
            true => request.body = self.chunks()?,
            false => {
                (&mut self.reader).take(length).read_to_end(&mut request.body)?;
                if (request.body.len() as u64) < length {
                    return Ok(None);
                }
            }
        }
        Ok(Some(request))
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line)?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
            (&mut self.reader).take(size).read_to_end(&mut body)?;
            line.clear();
            self.reader.read_line(&mut line)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    pub(crate) fn write(&mut self, answer: &Answer) -> io::Result<()> {
        let (bytes, length, kind) = match &answer.body {
            Body::Empty => (Vec::new(), 0, None),
            Body::Json(json) => {
                let bytes = json.to_string().into_bytes();
                let length = bytes.len() as u64;
                (bytes, length, Some("application/json"))
            }
            Body::Bytes(bytes) => (bytes.clone(), bytes.len() as u64, None),
            Body::Absent(length) => (Vec::new(), *length, None),
        };
        let mut text = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
        let kind = kind.map(|kind| ("content-type".to_owned(), kind.to_owned()));
        for (name, field) in answer.fields.iter().chain(&kind) {
            text.push_str(&format!("{name}: {field}\r\n"));
        }
        if answer.status != 204 && answer.status != 304 {
            text.push_str(&format!("content-length: {length}\r\n"));
        }
        text.push_str("\r\n");
        let mut whole = text.into_bytes();
        whole.extend(bytes);
        self.reader.get_mut().write_all(&whole)
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        409 => "Conflict",
        411 => "Length Required",
        412 => "Precondition Failed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        _ => "Other",
    }
}
