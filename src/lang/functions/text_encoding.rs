//! `textencodebase64` and `textdecodebase64`: text in any encoding of the IANA registry that Terraform knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipectl_core::Value;

use crate::functions::ParameterType as Type;
use crate::functions::code_pages;
use crate::functions::encoding::decode_base64;
use crate::functions::quote::quote;
use crate::functions::{Arguments, Failure, Function, Parameter, plain};

const ENCODING: Parameter = Parameter::new("encoding", Type::String);

pub(super) const FUNCTIONS: &[Function] = &[
    plain(
        "textdecodebase64",
        "The text that a Base64 string stands for, in an encoding named as in the IANA registry, like \"UTF-16LE\".",
        &[Parameter::new("source", Type::String), ENCODING],
        Type::String,
        decode,
    ),
    plain(
        "textencodebase64",
        "The Base64 form of a text in an encoding named as in the IANA registry, like \"UTF-16LE\".",
        &[Parameter::new("string", Type::String), ENCODING],
        Type::String,
        encode,
    ),
];

/// How text becomes bytes.
#[derive(Clone, Copy, Debug)]
enum How {
    Ascii,
    Utf8,
    /// Big-endian, with a byte order mark.
    Utf16,
    Utf16Be,
    Utf16Le,
    Latin1,
    /// A table of [`code_pages`].
    Page(&'static str),
    /// An encoding of the WHATWG standard.
    Standard(&'static encoding_rs::Encoding),
}

/// Name, aliases in lowercase, and how it works.
type Entry = (&'static str, &'static [&'static str], How);

#[rustfmt::skip]
const ENCODINGS: &[Entry] = &[
    ("US-ASCII", &["us-ascii", "iso-ir-6", "ansi_x3.4-1968", "ansi_x3.4-1986", "iso_646.irv:1991", "iso646-us", "us", "ibm367", "cp367", "csascii"], How::Ascii),
    ("UTF-8", &["utf-8", "csutf8"], How::Utf8),
    ("UTF-16", &["utf-16", "csutf16"], How::Utf16),
    ("UTF-16BE", &["utf-16be", "csutf16be"], How::Utf16Be),
    ("UTF-16LE", &["utf-16le", "csutf16le"], How::Utf16Le),
    ("IBM037", &["ibm037", "cp037", "ebcdic-cp-us", "ebcdic-cp-ca", "ebcdic-cp-wt", "ebcdic-cp-nl", "csibm037"], How::Page(code_pages::IBM037)),
    ("IBM437", &["ibm437", "cp437", "437", "cspc8codepage437"], How::Page(code_pages::IBM437)),
    ("IBM850", &["ibm850", "cp850", "850", "cspc850multilingual"], How::Page(code_pages::IBM850)),
    ("IBM852", &["ibm852", "cp852", "852", "cspcp852"], How::Page(code_pages::IBM852)),
    ("IBM855", &["ibm855", "cp855", "855", "csibm855"], How::Page(code_pages::IBM855)),
    ("IBM00858", &["ibm00858", "ccsid00858", "cp00858", "pc-multilingual-850+euro", "csibm00858"], How::Page(code_pages::IBM00858)),
    ("IBM860", &["ibm860", "cp860", "860", "csibm860"], How::Page(code_pages::IBM860)),
    ("IBM862", &["ibm862", "cp862", "862", "cspc862latinhebrew"], How::Page(code_pages::IBM862)),
    ("IBM863", &["ibm863", "cp863", "863", "csibm863"], How::Page(code_pages::IBM863)),
    ("IBM865", &["ibm865", "cp865", "865", "csibm865"], How::Page(code_pages::IBM865)),
    ("IBM866", &["ibm866", "cp866", "866", "csibm866"], How::Standard(encoding_rs::IBM866)),
    ("IBM1047", &["ibm1047", "ibm-1047", "csibm1047"], How::Page(code_pages::IBM1047)),
    ("IBM01140", &["ibm01140", "ccsid01140", "cp01140", "ebcdic-us-37+euro", "csibm01140"], How::Page(code_pages::IBM01140)),
    ("ISO_8859-1:1987", &["iso_8859-1:1987", "iso-ir-100", "iso_8859-1", "iso-8859-1", "latin1", "l1", "ibm819", "cp819", "csisolatin1"], How::Latin1),
    ("ISO_8859-2:1987", &["iso_8859-2:1987", "iso-ir-101", "iso_8859-2", "iso-8859-2", "latin2", "l2", "csisolatin2"], How::Standard(encoding_rs::ISO_8859_2)),
    ("ISO_8859-3:1988", &["iso_8859-3:1988", "iso-ir-109", "iso_8859-3", "iso-8859-3", "latin3", "l3", "csisolatin3"], How::Standard(encoding_rs::ISO_8859_3)),
    ("ISO_8859-4:1988", &["iso_8859-4:1988", "iso-ir-110", "iso_8859-4", "iso-8859-4", "latin4", "l4", "csisolatin4"], How::Standard(encoding_rs::ISO_8859_4)),
    ("ISO_8859-5:1988", &["iso_8859-5:1988", "iso-ir-144", "iso_8859-5", "iso-8859-5", "cyrillic", "csisolatincyrillic"], How::Standard(encoding_rs::ISO_8859_5)),
    ("ISO_8859-6:1987", &["iso_8859-6:1987", "iso-ir-127", "iso_8859-6", "iso-8859-6", "ecma-114", "asmo-708", "arabic", "csisolatinarabic"], How::Standard(encoding_rs::ISO_8859_6)),
    ("ISO_8859-6-E", &["iso_8859-6-e", "csiso88596e", "iso-8859-6-e"], How::Standard(encoding_rs::ISO_8859_6)),
    ("ISO_8859-6-I", &["iso_8859-6-i", "csiso88596i", "iso-8859-6-i"], How::Standard(encoding_rs::ISO_8859_6)),
    ("ISO_8859-7:1987", &["iso_8859-7:1987", "iso-ir-126", "iso_8859-7", "iso-8859-7", "elot_928", "ecma-118", "greek", "greek8", "csisolatingreek"], How::Standard(encoding_rs::ISO_8859_7)),
    ("ISO_8859-8:1988", &["iso_8859-8:1988", "iso-ir-138", "iso_8859-8", "iso-8859-8", "hebrew", "csisolatinhebrew"], How::Standard(encoding_rs::ISO_8859_8)),
    ("ISO_8859-8-E", &["iso_8859-8-e", "csiso88598e", "iso-8859-8-e"], How::Standard(encoding_rs::ISO_8859_8)),
    ("ISO_8859-8-I", &["iso_8859-8-i", "csiso88598i", "iso-8859-8-i"], How::Standard(encoding_rs::ISO_8859_8)),
    ("ISO_8859-9:1989", &["iso_8859-9:1989", "iso-ir-148", "iso_8859-9", "iso-8859-9", "latin5", "l5", "csisolatin5"], How::Page(code_pages::ISO_8859_9)),
    ("ISO-8859-10", &["iso-8859-10", "iso-ir-157", "l6", "iso_8859-10:1992", "csisolatin6", "latin6"], How::Standard(encoding_rs::ISO_8859_10)),
    ("ISO-8859-13", &["iso-8859-13", "csiso885913"], How::Standard(encoding_rs::ISO_8859_13)),
    ("ISO-8859-14", &["iso-8859-14", "iso-ir-199", "iso_8859-14:1998", "iso_8859-14", "latin8", "iso-celtic", "l8", "csiso885914"], How::Standard(encoding_rs::ISO_8859_14)),
    ("ISO-8859-15", &["iso-8859-15", "iso_8859-15", "latin-9", "csiso885915"], How::Standard(encoding_rs::ISO_8859_15)),
    ("ISO-8859-16", &["iso-8859-16", "iso-ir-226", "iso_8859-16:2001", "iso_8859-16", "latin10", "l10", "csiso885916"], How::Standard(encoding_rs::ISO_8859_16)),
    ("KOI8-R", &["koi8-r", "cskoi8r"], How::Standard(encoding_rs::KOI8_R)),
    ("KOI8-U", &["koi8-u", "cskoi8u"], How::Standard(encoding_rs::KOI8_U)),
    ("macintosh", &["macintosh", "mac", "csmacintosh"], How::Standard(encoding_rs::MACINTOSH)),
    ("windows-874", &["windows-874", "cswindows874"], How::Standard(encoding_rs::WINDOWS_874)),
    ("windows-1250", &["windows-1250", "cswindows1250"], How::Standard(encoding_rs::WINDOWS_1250)),
    ("windows-1251", &["windows-1251", "cswindows1251"], How::Standard(encoding_rs::WINDOWS_1251)),
    ("windows-1252", &["windows-1252", "cswindows1252"], How::Standard(encoding_rs::WINDOWS_1252)),
    ("windows-1253", &["windows-1253", "cswindows1253"], How::Standard(encoding_rs::WINDOWS_1253)),
    ("windows-1254", &["windows-1254", "cswindows1254"], How::Standard(encoding_rs::WINDOWS_1254)),
    ("windows-1255", &["windows-1255", "cswindows1255"], How::Standard(encoding_rs::WINDOWS_1255)),
    ("windows-1256", &["windows-1256", "cswindows1256"], How::Standard(encoding_rs::WINDOWS_1256)),
    ("windows-1257", &["windows-1257", "cswindows1257"], How::Standard(encoding_rs::WINDOWS_1257)),
    ("windows-1258", &["windows-1258", "cswindows1258"], How::Standard(encoding_rs::WINDOWS_1258)),
    ("Extended_UNIX_Code_Packed_Format_for_Japanese", &["extended_unix_code_packed_format_for_japanese", "cseucpkdfmtjapanese", "euc-jp"], How::Standard(encoding_rs::EUC_JP)),
    ("ISO-2022-JP", &["iso-2022-jp", "csiso2022jp"], How::Standard(encoding_rs::ISO_2022_JP)),
    ("Shift_JIS", &["shift_jis", "ms_kanji", "csshiftjis"], How::Standard(encoding_rs::SHIFT_JIS)),
    ("EUC-KR", &["euc-kr", "cseuckr"], How::Standard(encoding_rs::EUC_KR)),
    ("GB18030", &["gb18030", "csgb18030"], How::Standard(encoding_rs::GB18030)),
    ("GBK", &["gbk", "cp936", "ms936", "windows-936", "csgbk"], How::Standard(encoding_rs::GBK)),
    ("Big5", &["big5", "csbig5"], How::Standard(encoding_rs::BIG5)),
];

fn find(call: &Arguments<'_>) -> Result<&'static Entry, Failure> {
    let wanted = call.text(1).trim().to_ascii_lowercase();
    ENCODINGS.iter().find(|(_, aliases, _)| aliases.contains(&wanted.as_str())).ok_or_else(|| {
        const HIDDEN: &str = "it is not a supported IANA encoding name or alias in this version";
        let name = quote(call.text(1));
        Failure::telling(
            1,
            format!("{name} is not a supported IANA encoding name or alias in this Terraform version"),
            HIDDEN,
        )
    })
}

fn encode(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (name, _, how) = find(call)?;
    let bytes = encoded(call.text(0), *how).ok_or_else(|| {
        let message = format!("the given string contains characters that cannot be represented in {name}");
        Failure::telling(0, message, "the given string contains characters that cannot be represented in the encoding")
    })?;
    Ok(STANDARD.encode(bytes).into())
}

fn decode(call: &Arguments<'_>) -> Result<Value, Failure> {
    let (name, _, how) = find(call)?;
    let bytes = decode_base64(call.text(0)).map_err(|offset| {
        let message = format!("the given value is has an invalid base64 symbol at offset {offset}");
        Failure::telling(0, message, "the given value has an invalid base64 symbol")
    })?;
    let text = decoded(&bytes, *how).filter(|text| !text.contains(char::REPLACEMENT_CHARACTER)).ok_or_else(|| {
        let message = format!("the given string contains symbols that are not defined for {name}");
        Failure::telling(0, message, "the given string contains symbols that are not defined for the encoding")
    })?;
    Ok(text.into())
}

fn encoded(text: &str, how: How) -> Option<Vec<u8>> {
    let units = |to_bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>();
    match how {
        How::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
        How::Utf8 => Some(text.as_bytes().to_vec()),
        How::Utf16 => Some([vec![0xfe, 0xff], units(u16::to_be_bytes)].concat()),
        How::Utf16Be => Some(units(u16::to_be_bytes)),
        How::Utf16Le => Some(units(u16::to_le_bytes)),
        How::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
        How::Page(page) => text.chars().map(|c| byte_of(page, c)).collect(),
        How::Standard(encoding) => {
            let (bytes, _, had_unmappable) = encoding.encode(text);
            (!had_unmappable && !holds_undefined(text, encoding)).then(|| bytes.into_owned())
        }
    }
}

/// Bytes that Windows code pages and those of ISO do not define are control characters in the WHATWG standard, which is more than Terraform takes.
fn holds_undefined(text: &str, encoding: &'static encoding_rs::Encoding) -> bool {
    ["windows-", "ISO-8859-"].iter().any(|family| encoding.name().starts_with(family))
        && text.contains(|c| ('\u{80}'..='\u{9f}').contains(&c))
}

fn byte_of(page: &str, c: char) -> Option<u8> {
    let length = page.chars().count();
    if length == 128 && c.is_ascii() {
        return Some(c as u8);
    }
    let known = page.chars().position(|other| other == c && c != char::REPLACEMENT_CHARACTER)?;
    u8::try_from(known + 256 - length).ok()
}

fn decoded(bytes: &[u8], how: How) -> Option<String> {
    let units = |bytes: &[u8], from_bytes: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| from_bytes([pair[0], pair[1]])).collect();
        bytes.len().is_multiple_of(2).then(|| String::from_utf16(&units).ok()).flatten()
    };
    match how {
        How::Ascii => bytes.is_ascii().then(|| String::from_utf8_lossy(bytes).into_owned()),
        How::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
        How::Utf16 => match bytes {
            [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
            bytes => units(bytes, u16::from_be_bytes),
        },
        How::Utf16Be => units(bytes, u16::from_be_bytes),
        How::Utf16Le => units(bytes, u16::from_le_bytes),
        How::Latin1 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        How::Page(page) => {
            let table: Vec<char> = page.chars().collect();
            let first = 256 - table.len();
            let each =
                |byte: &u8| table.get(usize::from(*byte).wrapping_sub(first)).copied().unwrap_or(char::from(*byte));
            Some(bytes.iter().map(each).collect())
        }
        How::Standard(encoding) => {
            let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
            (!had_errors && !holds_undefined(&text, encoding)).then(|| text.into_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_pages_go_both_ways() {
        for (name, _, how) in ENCODINGS {
            if let How::Page(page) = how {
                assert!(matches!(page.chars().count(), 128 | 256), "{name}");
            }
            let has_one_byte = match how {
                How::Standard(encoding) => encoding.is_single_byte(),
                How::Ascii | How::Latin1 | How::Page(_) => true,
                How::Utf8 | How::Utf16 | How::Utf16Be | How::Utf16Le => false,
            };
            for byte in (0x20..=0xff_u8).filter(|_| has_one_byte) {
                if let Some(text) = decoded(&[byte], *how).filter(|text| !text.contains(char::REPLACEMENT_CHARACTER)) {
                    assert_eq!(encoded(&text, *how), Some(vec![byte]), "byte {byte:#x} in {name}");
                }
            }
        }
    }
}
