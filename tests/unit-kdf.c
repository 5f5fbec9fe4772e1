/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The building blocks of keyslots against published vectors and independent implementations. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "kernel-shim/cryptdev.h"
#include "keymgr/af.h"
#include "keymgr/base64.h"
#include "keymgr/digest.h"
#include "keymgr/hash.h"
#include "keymgr/kdf.h"
#include "keymgr/memory.h"
#include "tests/dev/leaks.h"
#include "tests/unit.h"

static struct secret *secret_of(const void *data, size_t len)
{
	struct secret *secret = NULL;

	CU_ASSERT_EQUAL_FATAL(secret_new_copy(data, len, &secret), 0);
	return secret;
}

static struct secret *secret_text(const char *text)
{
	return secret_of(text, strlen(text));
}

static void to_hex(const uint8_t *data, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		sprintf(out + 2 * i, "%02x", data[i]);
}

static void assert_hex(const void *data, size_t len, const char *expected)
{
	char hex[513];

	CU_ASSERT_FATAL(len <= 256);
	to_hex(data, len, hex);
	CU_ASSERT_STRING_EQUAL(hex, expected);
}

static void test_base64_vectors(void)
{
	/* RFC 4648, section 10 */
	static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		uint8_t out[16] = {0};
		char text[32];
		size_t len;

		base64_encode((const uint8_t *)vectors[i][0], strlen(vectors[i][0]), text);
		CU_ASSERT_STRING_EQUAL(text, vectors[i][1]);
		CU_ASSERT_EQUAL(base64_decode(text, out, sizeof(out), &len), 0);
		CU_ASSERT_EQUAL(len, strlen(vectors[i][0]));
		CU_ASSERT_STRING_EQUAL((char *)out, vectors[i][0]);
	}
}

static void test_base64_all_bytes(void)
{
	uint8_t in[256], out[256];
	char text[BASE64_CHARS(256) + 1];
	size_t got;

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 167 + 13);
	for (size_t len = 0; len <= sizeof(in); len++) {
		base64_encode(in, len, text);
		CU_ASSERT_EQUAL(strlen(text), BASE64_CHARS(len));
		CU_ASSERT_EQUAL(base64_decode(text, out, len, &got), 0);
		CU_ASSERT(got == len && !memcmp(in, out, len));
		if (len)
			CU_ASSERT_EQUAL(base64_decode(text, out, len - 1, &got), -E2BIG);
	}
}

static void test_base64_strict(void)
{
	static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg===", "Z===", "====", "=",
		"Zh==", "Zm9=", "Zm8 ", "Zm 8", "Zm8=\n", "Zm-_",
		"Zg==Zg==", "Zm8=Zm8=", "\xc3\xa9==", "Zm8*"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t out[16];
		size_t len = 99;

		CU_ASSERT_EQUAL(base64_decode(bad[i], out, sizeof(out), &len), -EINVAL);
		CU_ASSERT_EQUAL(len, 99);
	}
}

static void test_pbkdf2_vectors(void)
{
	/* RFC 6070 and RFC 7914, section 11 */
	static const struct {
		const char *hash, *passphrase, *salt;
		uint32_t salt_len, iterations;
		size_t len;
		const char *key;
	} vectors[] = {
		{"sha1", "password", "salt", 4, 1, 20, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
		{"sha1", "password", "salt", 4, 2, 20, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
		{"sha1", "password", "salt", 4, 4096, 20,
			"4b007901b765489abead49d926f721d065a429c1"},
		{"sha1", "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 36,
			4096, 25, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"},
		{"sha256", "passwd", "salt", 4, 1, 64,
			"55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
			"49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"},
		{"sha256", "Password", "NaCl", 4, 80000, 64,
			"4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
			"a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		CLEANUP_SECRET struct secret *passphrase = secret_text(vectors[i].passphrase);
		uint8_t out[64];

		CU_ASSERT_EQUAL(
			kdf_pbkdf2(vectors[i].hash, passphrase, (const uint8_t *)vectors[i].salt,
				vectors[i].salt_len, vectors[i].iterations, out, vectors[i].len),
			0);
		assert_hex(out, vectors[i].len, vectors[i].key);
	}
}

static void test_pbkdf2_refuses(void)
{
	CLEANUP_SECRET struct secret *passphrase = secret_text("x");
	uint8_t out[32];

	CU_ASSERT_EQUAL(kdf_pbkdf2("future", passphrase, out, 8, 1, out, 32), -EINVAL);
	CU_ASSERT_EQUAL(kdf_pbkdf2("sha256", passphrase, out, 8, 0, out, 32), -EINVAL);
	CU_ASSERT_EQUAL(kdf_pbkdf2("sha256", passphrase, out, 0, 1, out, 32), -EINVAL);
}

static void test_argon2_vectors(void)
{
	/* the reference implementation's own (version 0x13) */
	static const struct {
		enum luks2_kdf_type type;
		uint32_t time, memory_kib, cpus;
		const char *passphrase, *salt, *key;
	} vectors[] = {
		{LUKS2_KDF_ARGON2I, 2, 65536, 1, "password", "somesalt",
			"c1628832147d9720c5bd1cfd61367078729f6dfb6f8fea9ff98158e0d7816ed0"},
		{LUKS2_KDF_ARGON2I, 2, 256, 2, "password", "somesalt",
			"4ff5ce2769a1d7f4c8a491df09d41a9fbe90e5eb02155a13e4c01e20cd4eab61"},
		{LUKS2_KDF_ARGON2ID, 2, 65536, 1, "password", "somesalt",
			"09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"},
		{LUKS2_KDF_ARGON2ID, 4, 65536, 1, "password", "somesalt",
			"9025d48e68ef7395cca9079da4c4ec3affb3c8911fe4f86d1a2520856f63172c"},
		{LUKS2_KDF_ARGON2ID, 2, 256, 2, "password", "somesalt",
			"6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037"},
		{LUKS2_KDF_ARGON2ID, 2, 65536, 1, "differentpassword", "somesalt",
			"0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		CLEANUP_SECRET struct secret *passphrase = secret_text(vectors[i].passphrase);
		CLEANUP_SECRET struct secret *key = NULL;
		struct luks2_kdf kdf = {.type = vectors[i].type,
			.time = vectors[i].time,
			.memory_kib = vectors[i].memory_kib,
			.cpus = vectors[i].cpus};

		kdf.salt_len = (uint32_t)strlen(vectors[i].salt);
		memcpy(kdf.salt, vectors[i].salt, kdf.salt_len);
		CU_ASSERT_EQUAL_FATAL(secret_new(32, &key), 0);
		CU_ASSERT_EQUAL(kdf_derive(&kdf, passphrase, key, NULL), 0);
		assert_hex(secret_data(key), 32, vectors[i].key);
	}
}

static void test_argon2_refuses(void)
{
	CLEANUP_SECRET struct secret *passphrase = secret_text("x"), *key = NULL;
	struct luks2_kdf good = {.type = LUKS2_KDF_ARGON2ID,
				 .time = 1,
				 .memory_kib = 64,
				 .cpus = 1,
				 .salt_len = 32},
			 kdf = good;
	struct diag diag = {0};

	CU_ASSERT_EQUAL_FATAL(secret_new(32, &key), 0);
	CU_ASSERT_EQUAL(kdf_derive(&kdf, passphrase, key, NULL), 0);
	kdf.memory_kib = UINT32_MAX; /* 4 TiB: refused before a page of it is touched */
	CU_ASSERT_EQUAL(kdf_derive(&kdf, passphrase, key, &diag), -SDE_KDF_MEMORY);
	CU_ASSERT_PTR_NOT_NULL(strstr(diag.detail, "4194303"));
	kdf = good;
	kdf.time = 0;
	CU_ASSERT_EQUAL(kdf_derive(&kdf, passphrase, key, NULL), -EINVAL);
	kdf = good;
	kdf.cpus = 0;
	CU_ASSERT_EQUAL(kdf_derive(&kdf, passphrase, key, NULL), -EINVAL);
	kdf = good;
	kdf.cpus = 64; /* needs 8 KiB each */
	CU_ASSERT_EQUAL(kdf_derive(&kdf, passphrase, key, NULL), -EINVAL);
	kdf = good;
	kdf.memory_kib = 0;
	CU_ASSERT_EQUAL(kdf_derive(&kdf, passphrase, key, NULL), -EINVAL);
}

static void test_memory(void)
{
	uint64_t total = memory_total(), available = memory_available();

	CU_ASSERT(available > 0 && available <= total);
	CU_ASSERT(total > UINT64_C(64) << 20);
	CU_ASSERT(total < UINT64_C(1) << 50);
}

/* Vectors of an implementation of its own in Python (hashlib). */
static void test_af_merge_vectors(void)
{
	static const struct {
		const char *hash;
		uint32_t key_bytes, stripes;
		const char *key;
	} vectors[] = {
		{"sha1", 32, 4000,
			"dd9c54a87151a1ac09ebfd38ef05460cd8dea92278b9c8d9b385ac7786835937"},
		{"ripemd160", 32, 4000,
			"775f35a5c25e8c9a8eb5c842ec1b52a995794f0f4bf6f5ff78fdb391b07cafc1"},
		{"sha256", 24, 5, "383c84bbb262abf39585e1cffff87a1e62ca0b59448cb035"},
		{"sha256", 64, 4000,
			"c5768dea55cc0cada0adaa193329476a886eeebc1911528eae334a6aed3bc8b2"
			"a315b8cd6e4c15b5922af4848fd79844ff3f12b44383e2ee377f8779b7c306ca"},
		{"sha512", 64, 4000,
			"3bd006382df31846b940d9ec4923c02d46965ae3ee0b2fdfb10c3068c9f22f63"
			"48797d2bf305db193e499e5d0ad9dcbf95bdc3c7a766fb5d96a2c08df778dd59"},
		{"sha512", 100, 7,
			"6f9c6218675287c6635a98a117a76a9b27dcd4870f6a13632306d8cec8815c93"
			"cb142d4f78da779b09efecc3b1e9c5d05c82827c62116f60beca6bb45209366f"
			"1681ca8dbdf57a8830d848314aa175940a0f763264ed5f1f89553f60295308d6"
			"8609c2c9"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		CLEANUP_SECRET struct secret *material = NULL, *key = NULL;
		size_t len = af_bytes(vectors[i].key_bytes, vectors[i].stripes);

		CU_ASSERT_EQUAL_FATAL(secret_new(len, &material), 0);
		for (size_t at = 0; at < len; at++)
			((uint8_t *)secret_data(material))[at] = (uint8_t)(at * 7 + 3);
		CU_ASSERT_EQUAL_FATAL(af_merge(material, vectors[i].key_bytes, vectors[i].stripes,
					      vectors[i].hash, &key),
			0);
		assert_hex(secret_data(key), secret_len(key), vectors[i].key);
	}
}

static void test_af_round_trip(void)
{
	static const char *const hashes[] = {"sha1", "sha224", "sha256", "sha384", "sha512",
		"ripemd160", "whirlpool", "sha3-224", "sha3-256", "sha3-384", "sha3-512",
		"blake2b-512", "blake2s-256", "stribog256", "stribog512", "sm3"};
	static const size_t lens[] = {16, 20, 32, 33, 64, 65, 100};
	static const uint8_t bytes[100] = {1, 2, 3, [50] = 9, [99] = 7};

	for (size_t h = 0; h < ARRAY_SIZE(hashes); h++)
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			CLEANUP_SECRET struct secret *key = secret_of(bytes, lens[i]);
			CLEANUP_SECRET struct secret *material = NULL, *merged = NULL;

			CU_ASSERT_EQUAL_FATAL(af_split(key, 50, hashes[h], &material), 0);
			CU_ASSERT_EQUAL(secret_len(material) % 512, 0);
			CU_ASSERT_EQUAL_FATAL(
				af_merge(material, (uint32_t)lens[i], 50, hashes[h], &merged), 0);
			CU_ASSERT(secret_equal(key, merged));
		}
}

static void test_af_every_stripe_counts(void)
{
	CLEANUP_SECRET struct secret *key = secret_text("0123456789abcdef"), *material = NULL;

	CU_ASSERT_EQUAL_FATAL(af_split(key, 40, "sha256", &material), 0);
	for (size_t i = 0; i < 40; i++) {
		CLEANUP_SECRET struct secret *merged = NULL;
		uint8_t *byte = (uint8_t *)secret_data(material) + i * 16 + i % 16;

		*byte ^= 1;
		CU_ASSERT_EQUAL_FATAL(af_merge(material, 16, 40, "sha256", &merged), 0);
		CU_ASSERT_FALSE(secret_equal(key, merged));
		*byte ^= 1;
	}
}

static void test_af_refuses(void)
{
	CLEANUP_SECRET struct secret *key = secret_text("0123456789abcdef"), *out = NULL;

	CU_ASSERT_EQUAL(af_split(key, 40, "future", &out), -EINVAL);
	CU_ASSERT_EQUAL(af_merge(key, 16, 40, "sha256", &out), -EINVAL); /* too short */
	CU_ASSERT_EQUAL(af_merge(key, 0, 40, "sha256", &out), -EINVAL);
	CU_ASSERT_PTR_NULL(out);
}

static void test_hash_names(void)
{
	CU_ASSERT_EQUAL(hash_bytes("sha256"), 32);
	CU_ASSERT_EQUAL(hash_bytes("SHA512"), 64);
	CU_ASSERT_EQUAL(hash_bytes("whirlpool"), 64);
	CU_ASSERT_EQUAL(hash_bytes(""), 0);
	CU_ASSERT_EQUAL(hash_bytes("sha25"), 0);
	CU_ASSERT_EQUAL(hash_bytes("sha2566"), 0);
	CU_ASSERT_EQUAL(hash_bytes("md5"), 0);
	CU_ASSERT_EQUAL(hash_bytes("crc32"), 0);
}

static void test_digest(void)
{
	CLEANUP_SECRET struct secret *key = secret_text("a volume key of any length"),
				     *other = secret_text("no");
	struct luks2_digest digest, bad;

	CU_ASSERT_EQUAL_FATAL(digest_make(key, 20, &digest), 0);
	CU_ASSERT(digest.iterations >= 1000);
	CU_ASSERT_EQUAL(digest_verify(&digest, key), 0);
	CU_ASSERT_EQUAL(digest_verify(&digest, other), -SDE_PASSPHRASE);
	for (unsigned len = 0; len < 20;
		len++) { /* a short digest proves little, an empty one nothing; 20 are version 1's */
		bad = digest;
		bad.digest_len = len;
		CU_ASSERT_EQUAL(digest_verify(&bad, key), -SDE_HEADER_INVALID);
	}
	bad = digest;
	bad.digest[31] ^= 1;
	CU_ASSERT_EQUAL(digest_verify(&bad, key), -SDE_PASSPHRASE);
	bad = digest;
	bad.salt_len = 0;
	CU_ASSERT_EQUAL(digest_verify(&bad, key), -SDE_HEADER_INVALID);
	bad = digest;
	strcpy(bad.hash, "future");
	CU_ASSERT_EQUAL(digest_verify(&bad, key), -SDE_HEADER_INVALID);
	bad = digest;
	bad.iterations = 0;
	CU_ASSERT_EQUAL(digest_verify(&bad, key), -SDE_HEADER_INVALID);
}

static void test_cost_limits(void)
{
	static const struct {
		struct luks2_kdf kdf;
		int result;
	} cases[] = {
		{{.type = LUKS2_KDF_PBKDF2}, 0},
		{{.type = LUKS2_KDF_PBKDF2, .iterations = 1000}, 0},
		{{.type = LUKS2_KDF_PBKDF2, .iterations = 999}, -SDE_USAGE},
		{{.type = LUKS2_KDF_PBKDF2, .iterations = UINT32_MAX}, -SDE_USAGE},
		{{.type = LUKS2_KDF_PBKDF2, .hash = "sha512"}, 0},
		{{.type = LUKS2_KDF_PBKDF2, .hash = "future"}, -SDE_USAGE},
		{{.type = LUKS2_KDF_ARGON2ID, .time = 4, .memory_kib = 32, .cpus = 1}, 0},
		{{.type = LUKS2_KDF_ARGON2ID, .time = 3}, -SDE_USAGE},
		{{.type = LUKS2_KDF_ARGON2ID, .memory_kib = 31}, -SDE_USAGE},
		{{.type = LUKS2_KDF_ARGON2I, .memory_kib = 4 * 1024 * 1024}, 0},
		{{.type = LUKS2_KDF_ARGON2I, .memory_kib = 4 * 1024 * 1024 + 1}, -SDE_USAGE},
		{{.type = LUKS2_KDF_ARGON2I, .cpus = 4}, 0},
		{{.type = LUKS2_KDF_ARGON2I, .cpus = 5}, -SDE_USAGE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		CU_ASSERT_EQUAL(kdf_check_costs(&cases[i].kdf, NULL), cases[i].result);
}

static void test_calibration(void)
{
	struct luks2_kdf kdf = {.type = LUKS2_KDF_ARGON2ID};

	CU_ASSERT_EQUAL(kdf_calibrate(&kdf, 64, 50, 0), 0);
	CU_ASSERT(kdf.time >= 4 && kdf.cpus >= 1 && kdf.cpus <= 4);
	CU_ASSERT(kdf.memory_kib >= 32 && kdf.memory_kib <= 1024 * 1024);
	CU_ASSERT_EQUAL(kdf_check_costs(&kdf, NULL), 0);
	kdf = (struct luks2_kdf){
		.type = LUKS2_KDF_ARGON2ID, .memory_kib = 32, .time = 5, .cpus = 1};
	CU_ASSERT_EQUAL(kdf_calibrate(&kdf, 64, 50, 0), 0);
	CU_ASSERT(kdf.memory_kib == 32 && kdf.time == 5 && kdf.cpus == 1); /* given costs stay */
	/* a run of this size takes far less than the time aimed at, on however busy a machine */
	kdf = (struct luks2_kdf){.type = LUKS2_KDF_ARGON2ID, .memory_kib = 32, .cpus = 1};
	CU_ASSERT_EQUAL(kdf_calibrate(&kdf, 64, 10000, 0), 0);
	CU_ASSERT(kdf.memory_kib == 32 && kdf.time > 4); /* less memory takes more passes */
	kdf = (struct luks2_kdf){.type = LUKS2_KDF_PBKDF2};
	CU_ASSERT_EQUAL(kdf_calibrate(&kdf, 64, 50, 0), 0);
	CU_ASSERT(kdf.iterations >= 1000);
	CU_ASSERT_STRING_EQUAL(kdf.hash, "sha256");
	kdf = (struct luks2_kdf){.type = LUKS2_KDF_PBKDF2, .iterations = 1234};
	CU_ASSERT_EQUAL(kdf_calibrate(&kdf, 64, 50, 0), 0);
	CU_ASSERT_EQUAL(kdf.iterations, 1234);
}

int main(void)
{
	if (crypto_init())
		return 99;
	leaks_know_secure_memory();
	return UNIT_RUN(UNIT(test_base64_vectors), UNIT(test_base64_all_bytes),
		UNIT(test_base64_strict), UNIT(test_hash_names), UNIT(test_pbkdf2_vectors),
		UNIT(test_pbkdf2_refuses), UNIT(test_argon2_vectors), UNIT(test_argon2_refuses),
		UNIT(test_memory), UNIT(test_af_merge_vectors), UNIT(test_af_round_trip),
		UNIT(test_af_every_stripe_counts), UNIT(test_af_refuses), UNIT(test_digest),
		UNIT(test_cost_limits), UNIT(test_calibration));
}
