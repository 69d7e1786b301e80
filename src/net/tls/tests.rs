use super::*;

#[test]
fn a_fingerprint_is_the_sha_256() {
    // The hash of "abc" is an example of FIPS 180-4.
    let expected = "BA7816BF:8F01CFEA:414140DE:5DAE2223:B00361A3:96177A9C:B410FF61:F20015AD";
    assert_eq!(fingerprint(b"abc"), expected.parse().unwrap());
}
