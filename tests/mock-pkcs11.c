/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PKCS #11 module that misbehaves as cards do and SoftHSM does not. What it does is in MOCK, words
 * separated by commas:
 *	low, final, locked	state of the PIN		protected	a keypad of its own
 *	twins			two tokens of one name		removed		pulled out in the middle of C_Decrypt
 *	slow			C_Login takes a second		crash		dies in C_Decrypt
 *	grow			attributes that are longer when they are fetched than when they were asked about
 *	hang			C_Login never ends, whatever signal comes
 *	forge			answers in the place of the program, in C_Decrypt
 *	spawn			the same, and leaves a process of its own behind
 *	huge, empty, garbage	answers of C_Decrypt		many		several keys fit
 *	attributes		absurd lengths of attributes	slots		C_GetSlotList counts wrongly
 *	novalue			C_GetAttributeValue fails	expired		the PIN has expired
 * Its one PIN is 4711. C_Decrypt gives 128 bytes of 'D', whatever it gets.
 */
#include <p11-kit/pkcs11.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOT = 5, SECRET_BYTES = 128 };

static bool logged_in, found;

static bool mode(const char *word)
{
	const char *words = getenv("MOCK"), *at = words ? strstr(words, word) : NULL;
	size_t len = strlen(word);

	return at && (at == words || at[-1] == ',') && (at[len] == '\0' || at[len] == ',');
}

static CK_RV mock_unsupported(void)
{
	return CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_RV mock_ok(void)
{
	return CKR_OK;
}

static CK_RV mock_get_info(CK_INFO *info)
{
	memset(info, ' ', sizeof(*info));
	info->cryptokiVersion = (CK_VERSION){2, 40};
	info->flags = 0;
	return CKR_OK;
}

static CK_RV mock_get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
	CK_ULONG have = mode("twins") ? 2 : 1;

	if (slots && *count < have)
		return CKR_BUFFER_TOO_SMALL;
	for (CK_ULONG i = 0; slots && i < have; i++)
		slots[i] = SLOT + i;
	*count = mode("slots") ? ~0UL : have;
	return CKR_OK;
}

static CK_RV mock_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	memset(info, ' ', sizeof(*info));
	memcpy(info->label, "Mock\033[2J", 8);
	memcpy(info->manufacturerID, "Sealdrive tests", 15);
	memcpy(info->serialNumber, mode("twins") ? "1" : "42", mode("twins") ? 1 : 2);
	info->flags = CKF_TOKEN_INITIALIZED | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED;
	info->flags |= mode("low") ? CKF_USER_PIN_COUNT_LOW : 0;
	info->flags |= mode("final") ? CKF_USER_PIN_FINAL_TRY : 0;
	info->flags |= mode("locked") ? CKF_USER_PIN_LOCKED : 0;
	info->flags |= mode("protected") ? CKF_PROTECTED_AUTHENTICATION_PATH : 0;
	return CKR_OK;
}

static CK_RV mock_open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *app, CK_NOTIFY notify,
	CK_SESSION_HANDLE *session)
{
	*session = 7;
	return CKR_OK;
}

static CK_RV mock_get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
	memset(info, 0, sizeof(*info));
	info->state = logged_in ? CKS_RO_USER_FUNCTIONS : CKS_RO_PUBLIC_SESSION;
	return CKR_OK;
}

static void hang(void)
{
	static const char text[] = "not answering\n";

	signal(SIGINT, SIG_IGN);
	if (write(STDERR_FILENO, text, strlen(text)) > 0)
		for (;;)
			pause();
}

static CK_RV mock_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG len)
{
	if (mode("slow"))
		sleep(1);
	if (mode("hang"))
		hang();
	if (mode("expired"))
		return CKR_PIN_EXPIRED;
	if (mode("protected") ? pin != NULL : !pin || len != 4 || memcmp(pin, "4711", 4) != 0)
		return mode("final") ? CKR_PIN_LOCKED : CKR_PIN_INCORRECT;
	logged_in = true;
	return CKR_OK;
}

static CK_RV mock_find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
	found = false;
	return CKR_OK;
}

static CK_RV mock_find_objects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG room, CK_ULONG *count)
{
	*count = found ? 0 : mode("many") ? 2 : 1;
	for (CK_ULONG i = 0; i < *count; i++)
		objects[i] = 100 + i;
	found = true;
	return CKR_OK;
}

static CK_RV mock_get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template,
	CK_ULONG count)
{
	if (mode("novalue"))
		return CKR_ATTRIBUTE_SENSITIVE;
	for (CK_ULONG i = 0; i < count; i++) {
		if (mode("attributes"))
			template[i].ulValueLen = ~0UL;
		else if (mode("grow") && template[i].type != CKA_KEY_TYPE)
			template[i].ulValueLen = template[i].pValue ? 16000 : 8;
		else if (template[i].type == CKA_KEY_TYPE && template[i].pValue)
			*(CK_KEY_TYPE *)template[i].pValue = CKK_RSA;
		else
			template[i].ulValueLen = 0;
	}
	return CKR_OK;
}

static CK_RV mock_decrypt_init(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return logged_in ? CKR_OK : CKR_USER_NOT_LOGGED_IN;
}

static CK_RV mock_decrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *out_len)
{
	if (mode("removed"))
		return CKR_DEVICE_REMOVED;
	/* an answer in the name of the process that it runs in: "1", and nothing else */
	if (mode("forge")) {
		static const char forged[8192] = {1};

		_exit(write(3, forged, sizeof(forged)) < 0);
	}
	if (mode("spawn") && fork() == 0) {
		sleep(25);
		_exit(0);
	}
	if (mode("crash") || mode("spawn")) {
		signal(SIGABRT, SIG_DFL); /* this one is no finding of a sanitizer's */
		abort();
	}
	if (mode("garbage"))
		return 0x80000000UL + 77;
	if (*out_len < SECRET_BYTES)
		return CKR_BUFFER_TOO_SMALL;
	memset(out, 'D', SECRET_BYTES);
	*out_len = mode("huge") ? ~0UL : mode("empty") ? 0 : SECRET_BYTES;
	return CKR_OK;
}

#define STUB (void *)mock_unsupported
#define FINE (void *)mock_ok

static CK_FUNCTION_LIST functions = {
	.version = {2, 40},
	.C_Initialize = FINE,
	.C_Finalize = FINE,
	.C_GetInfo = mock_get_info,
	.C_GetSlotList = mock_get_slot_list,
	.C_GetSlotInfo = STUB,
	.C_GetTokenInfo = mock_get_token_info,
	.C_GetMechanismList = STUB,
	.C_GetMechanismInfo = STUB,
	.C_InitToken = STUB,
	.C_InitPIN = STUB,
	.C_SetPIN = STUB,
	.C_OpenSession = mock_open_session,
	.C_CloseSession = FINE,
	.C_CloseAllSessions = FINE,
	.C_GetSessionInfo = mock_get_session_info,
	.C_GetOperationState = STUB,
	.C_SetOperationState = STUB,
	.C_Login = mock_login,
	.C_Logout = FINE,
	.C_CreateObject = STUB,
	.C_CopyObject = STUB,
	.C_DestroyObject = FINE,
	.C_GetObjectSize = STUB,
	.C_GetAttributeValue = mock_get_attribute_value,
	.C_SetAttributeValue = STUB,
	.C_FindObjectsInit = mock_find_objects_init,
	.C_FindObjects = mock_find_objects,
	.C_FindObjectsFinal = FINE,
	.C_EncryptInit = STUB,
	.C_Encrypt = STUB,
	.C_EncryptUpdate = STUB,
	.C_EncryptFinal = STUB,
	.C_DecryptInit = mock_decrypt_init,
	.C_Decrypt = mock_decrypt,
	.C_DecryptUpdate = STUB,
	.C_DecryptFinal = STUB,
	.C_DigestInit = STUB,
	.C_Digest = STUB,
	.C_DigestUpdate = STUB,
	.C_DigestKey = STUB,
	.C_DigestFinal = STUB,
	.C_SignInit = STUB,
	.C_Sign = STUB,
	.C_SignUpdate = STUB,
	.C_SignFinal = STUB,
	.C_SignRecoverInit = STUB,
	.C_SignRecover = STUB,
	.C_VerifyInit = STUB,
	.C_Verify = STUB,
	.C_VerifyUpdate = STUB,
	.C_VerifyFinal = STUB,
	.C_VerifyRecoverInit = STUB,
	.C_VerifyRecover = STUB,
	.C_DigestEncryptUpdate = STUB,
	.C_DecryptDigestUpdate = STUB,
	.C_SignEncryptUpdate = STUB,
	.C_DecryptVerifyUpdate = STUB,
	.C_GenerateKey = STUB,
	.C_GenerateKeyPair = STUB,
	.C_WrapKey = STUB,
	.C_UnwrapKey = STUB,
	.C_DeriveKey = STUB,
	.C_SeedRandom = STUB,
	.C_GenerateRandom = STUB,
	.C_GetFunctionStatus = STUB,
	.C_CancelFunction = STUB,
	.C_WaitForSlotEvent = STUB,
};

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);
CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	*list = &functions;
	return CKR_OK;
}
