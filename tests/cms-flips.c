/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of which every byte is flipped. Keys and certificates are in the folder CMS_FLIPS_KEYS. */
#include <stdlib.h>
#include <string.h>

#include "audit/cms.h"
#include "base/cleanup.h"
#include "kernel-shim/cryptdev.h"
#include "tests/unit.h"

static const char *keys;
static char content[] = "{\"schema\": 1, \"id\": \"x\"}\n";

static const char *file(char buf[512], const char *name)
{
	snprintf(buf, 512, "%s/%s", keys, name);
	return buf;
}

static int verify(const uint8_t *der, size_t len, const char *trust)
{
	struct cms_signer signer;
	struct diag diag = {0};
	char path[512];
	int r = cms_verify(content, sizeof(content) - 1, der, len, file(path, trust), &signer, &diag);

	if (r != 0 && (r != -SDE_SIGNATURE || !diag.detail[0]))
		CU_FAIL("refused, but not as it should be");
	return r;
}

static int sign(const void *data, size_t len, const char *key, const char *cert, uint8_t **ret_der, size_t *ret_len,
	struct diag *diag)
{
	char key_path[512], cert_path[512];
	const struct cms_identity identity = {.key_path = file(key_path, key), .cert_path = file(cert_path, cert)};

	return cms_sign(data, len, &identity, ret_der, ret_len, diag);
}

static void every_byte(const char *key, const char *cert)
{
	CLEANUP_FREE uint8_t *der = NULL;
	struct diag diag = {0};
	size_t len, undetected = 0;

	CU_ASSERT_EQUAL_FATAL(sign(content, sizeof(content) - 1, key, cert, &der, &len, &diag), 0);
	CU_ASSERT_EQUAL(verify(der, len, cert), 0);
	CU_ASSERT_EQUAL(verify(der, len, "ca.pem"), 0);
	CU_ASSERT_EQUAL(verify(der, len, "stranger.pem"), -SDE_SIGNATURE);
	for (size_t i = 0; i < sizeof(content) - 1; i++) {
		content[i] ^= 1;
		CU_ASSERT_EQUAL(verify(der, len, cert), -SDE_SIGNATURE);
		content[i] ^= 1;
	}
	/* What is verified in spite of a flip is the same content, signed by the pinned key: the bytes of the
	 * certificate inside do not matter when the pinned one fits. */
	for (size_t i = 0; i < len; i++) {
		der[i] ^= 1;
		undetected += verify(der, len, cert) == 0;
		der[i] ^= 1;
	}
	printf("# %s: %zu of %zu bytes are not part of what is signed\n", key, undetected, len);
	CU_ASSERT_TRUE(undetected < len / 3);
	for (size_t cut = 0; cut < len; cut += 13)
		CU_ASSERT_EQUAL(verify(der, cut, cert), -SDE_SIGNATURE);
}

static void test_ec(void)
{
	every_byte("ec.key", "ec.pem");
}

static void test_rsa(void)
{
	every_byte("rsa.key", "rsa.pem");
}

static void test_refused(void)
{
	CLEANUP_FREE uint8_t *der = NULL;
	struct diag diag = {0};
	size_t len;

	CU_ASSERT_EQUAL(sign("x", 1, "ec.key", "rsa.pem", &der, &len, &diag), -SDE_SIGN);
	CU_ASSERT_EQUAL(sign("x", 1, "ec.pem", "ec.pem", &der, &len, &diag), -SDE_SIGN);
	CU_ASSERT_TRUE(sign("x", 1, "nothing", "ec.pem", &der, &len, &diag) < 0);
	CU_ASSERT_EQUAL(sign("x", 1, "old.key", "old.pem", &der, &len, &diag), -SDE_SIGN);
}

int main(void)
{
	keys = getenv("CMS_FLIPS_KEYS");
	if (!keys || crypto_init() < 0) {
		printf("1..0 # SKIP run by tests/signed.sh, which makes the keys\n");
		return 0;
	}
	return UNIT_RUN(UNIT(test_ec), UNIT(test_rsa), UNIT(test_refused));
}
