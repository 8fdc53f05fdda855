//! Numbers as Java reads them from text and prints them.
//!
//! The rule that is easy to break: a property is read by the class of the number it is compared with. "3.5" is no int,
//! "0x1p3" and " 7d" are doubles, and digits of other scripts are digits of an int.
//!
//! Java 17 `Integer.parseInt`, `Long.parseLong`, `Double.parseDouble` (`FloatingDecimal`), `Double.toString`.

use std::cmp::Ordering;

/// The zeros of the scripts that have decimal digits in Unicode's first plane, apart from ASCII's.
const ZEROS: [u32; 36] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

fn digit(c: char) -> Option<i64> {
    if let Some(digit) = c.to_digit(10) {
        return Some(digit.into());
    }
    let code = u32::from(c);
    let zero = ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))?;
    Some((code - zero).into())
}

/// A 64-bit number, `None` where Java throws.
pub(super) fn long(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0_i64, |value, c| {
        let (value, digit) = (value.checked_mul(10)?, digit(c)?);
        match negative {
            true => value.checked_sub(digit),
            false => value.checked_add(digit),
        }
    })
}

/// A 32-bit number, `None` where Java throws.
pub(super) fn int(text: &str) -> Option<i32> {
    long(text).and_then(|value| i32::try_from(value).ok())
}

/// As Java cuts blanks and control characters off both ends.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// A double, `None` where Java throws.
pub(super) fn double(text: &str) -> Option<f64> {
    let text = trimmed(text);
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let value = match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" => f64::INFINITY,
        _ => {
            let number = unsigned.strip_suffix(['f', 'F', 'd', 'D']);
            match unsigned.get(..2) {
                Some("0x" | "0X") => hexadecimal(unsigned.get(2..)?)?,
                _ => decimal(number.unwrap_or(unsigned))?,
            }
        }
    };
    Some(if negative { -value } else { value })
}

fn decimal(text: &str) -> Option<f64> {
    let known =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    let number =
        text.bytes().all(known) && text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    number.then(|| text.parse().ok())?
}

/// What follows `0x`: hexadecimal digits with or without a point, `p`, an exponent of 2, perhaps a suffix.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let exponent = exponent
        .strip_suffix(['f', 'F', 'd', 'D'])
        .unwrap_or(exponent);
    let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) | None => (digits.strip_suffix('.').unwrap_or(digits), ""),
        Some(parts) => parts,
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let far = if exponent.starts_with('-') {
        i64::MIN / 4
    } else {
        i64::MAX / 4
    };
    let mut scale = exponent.parse().unwrap_or(far);
    let mut bits: u64 = 0;
    for (at, c) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(c.to_digit(16)?);
        if bits >> 58 == 0 {
            bits = bits << 4 | digit;
        } else {
            bits |= u64::from(digit != 0); // sticky: far below what is kept
            scale = scale.saturating_add(4);
        }
        if at >= whole.len() {
            scale = scale.saturating_sub(4);
        }
    }
    Some(scaled(bits, scale))
}

/// `bits` times 2 to the power of `scale`, rounded once, to even.
fn scaled(bits: u64, scale: i64) -> f64 {
    if bits == 0 {
        return 0.0;
    }
    let top = scale.saturating_add(63 - i64::from(bits.leading_zeros()));
    if top > 1_023 {
        return f64::INFINITY;
    }
    let lowest = (top - 52).max(-1_074);
    let drop = lowest - scale;
    if drop > 64 {
        return 0.0;
    }
    let wide = u128::from(bits) << 64;
    let shift = (drop + 64).max(0) as u32;
    let (kept, rest) = (wide.checked_shr(shift).unwrap_or(0), wide & mask(shift));
    let half = 1_u128.checked_shl(shift.saturating_sub(1)).unwrap_or(0);
    let up = match rest.cmp(&half) {
        _ if shift == 0 => false,
        Ordering::Greater => true,
        Ordering::Equal => kept & 1 == 1,
        Ordering::Less => false,
    };
    let kept = kept + u128::from(up);
    // Both factors are exact: at most 53 bits, and a power of two in two steps where one would not be a double.
    let first = lowest.clamp(-1_000, 1_000);
    kept as f64 * 2_f64.powi(first as i32) * 2_f64.powi((lowest - first) as i32)
}

fn mask(bits: u32) -> u128 {
    1_u128.checked_shl(bits).map_or(u128::MAX, |bit| bit - 1)
}

/// Java's order of doubles: −0 below 0, NaN above all and equal to itself.
pub(super) fn order(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a.total_cmp(&b),
    }
}

/// A double that is above 0 and finite, as Java prints it.
pub(super) fn double_text(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    if (1e-3..1e7).contains(&value) {
        let plain = value.to_string();
        return match plain.contains('.') {
            true => plain,
            false => plain + ".0",
        };
    }
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ints_and_longs_are_read_as_java_reads_them() {
        assert_eq!(int("+7"), Some(7));
        assert_eq!(int("-2147483648"), Some(i32::MIN));
        assert_eq!(int("٣"), Some(3), "Arabic-Indic three");
        for bad in ["", "+", "-", "3.5", " 3", "2147483648", "1_0", "--1", "7l"] {
            assert_eq!(int(bad), None, "{bad}");
        }
        assert_eq!(long("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(long("9223372036854775808"), None);
    }

    #[test]
    fn doubles_are_read_as_java_reads_them() {
        assert_eq!(double(" 1.5f\t"), Some(1.5));
        assert_eq!(double("-5.e1"), Some(-50.0));
        assert_eq!(double(".5D"), Some(0.5));
        assert_eq!(double("0x1.8p1"), Some(3.0));
        assert_eq!(double("-0x.8p0d"), Some(-0.5));
        assert_eq!(double("0x1p-1074"), Some(f64::from_bits(1)));
        assert_eq!(double("0x1.fffffffffffff8p1023"), Some(f64::INFINITY));
        assert_eq!(
            double("0x1.00000000000008p0"),
            Some(1.0),
            "half goes to even"
        );
        assert_eq!(double("1e999999999999"), Some(f64::INFINITY));
        assert!(double("NaN").expect("a number").is_nan());
        assert_eq!(double("-Infinity"), Some(f64::NEG_INFINITY));
        for bad in [
            "", " ", ".", "1e", "inf", "nan", "0x1", "0x", "0x.p1", "1ff", "1 2", "+-1", "e5",
            "NaNd",
        ] {
            assert_eq!(double(bad), None, "{bad}");
        }
    }

    #[test]
    fn doubles_are_printed_as_java_prints_them() {
        for (value, text) in [
            (1.5, "1.5"),
            (100.0, "100.0"),
            (1e7, "1.0E7"),
            (1.25e-4, "1.25E-4"),
            (0.001, "0.001"),
            (f64::MAX, "1.7976931348623157E308"),
        ] {
            assert_eq!(double_text(value), text);
        }
    }
}
