#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Drives that are good and bad in each check, and what each profile must say of them.

    table.py BASE FOLDER     BASE: a LUKS2 image that cryptsetup made, with key slots 0, 1 and 2

Every row is one image with right checksums, made of BASE by one statement, and is audited under the
four profiles; "-" stands for a check that the profile does not have. Prints TAP lines without plan
and numbers, which the shell test counts. cryptsetup must accept what is no fault of format.
"""
import base64
import copy
import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "headers"))
from luks2image import Image

DATA = 5120 * 512  # where the data begin
POOL = ThreadPoolExecutor(4)
PROFILES = ("baseline", "nist", "bsi", "vn-qcvn")
WORDS = {"p": "pass", "f": "fail", "w": "warn", "u": "unknown", "n": "not-applicable", "-": None}
b64 = lambda n: base64.b64encode(bytes(range(1, n % 256)) + bytes(n - len(range(1, n % 256)))).decode()

ROWS = []


def row(check, name, statement, expected, **more):
    ROWS.append((check, name, statement, [WORDS[c] for c in expected], more))


SEG, S0, S1, T = 'j["segments"]["0"]', 'j["keyslots"]["0"]', 'j["keyslots"]["1"]', 'j["tokens"]'
PKCS11 = T + '["0"]'

# H-01: copies
row("H-01", "both copies", "pass", "pppp")
row("H-01", "secondary copy damaged", "im.break_copy = 1", "ffff")
row("H-01", "secondary copy older", 'im.bins[1]["seqid"] -= 1', "ffff")
row("H-01", "copies say different things", 'im.bins[1]["label"] = b"other".ljust(48, b"\\0")', "ffff")
row("H-01", "no LUKS", "im.blank = True", "ffff", theirs=False)
# H-02: rules
row("H-02", "as it should be", "pass", "pppp")
row("H-02", "areas overlap", S1 + '["area"]["offset"] = ' + S0 + '["area"]["offset"]', "ffff", theirs=False)
row("H-02", "an unknown requirement", 'j["config"]["requirements"] = {"mandatory": ["future"]}', "ffff")
row("H-02", "a key slot named 07", 'j["keyslots"]["07"] = j["keyslots"].pop("2"); T2(j)', "ffff", theirs=None)
# H-03: cipher
row("H-03", "aes-xts", "pass", "pppp")
row("H-03", "serpent-xts", SEG + '["encryption"] = "serpent-xts-plain64"', "pfff")
row("H-03", "aes-cbc-essiv", SEG + '["encryption"] = "aes-cbc-essiv:sha256"', "fffw")
row("H-03", "null cipher", SEG + '["encryption"] = "cipher_null-ecb"', "ffff")
row("H-03", "aes-xtsomething", SEG + '["encryption"] = "aes-xtsx-plain64"', "ffff")
# H-04: medium, in saved facts
row("H-04", "a container", "pass", "---u")
row("H-04", "XTS on a hard disk", 'd["device"]["rotational"] = "hard-disk"', "---p", facts=True)
row("H-04", "XTS on flash", 'd["device"]["rotational"] = "flash"', "---w", facts=True)
# H-05, H-06: key sizes
row("H-05", "512 bits", "pass", "pppp")
row("H-05", "256 bits", "keys(j, 32)", "wfwf")
row("H-05", "128 bits", "keys(j, 16)", "ffff")
row("H-06", "512 bits", "pass", "pppp")
row("H-06", "256 bits", "keys(j, 32)", "pppp")
row("H-06", "384 bits", "keys(j, 48)", "ffff")
# H-07: sectors and IVs
row("H-07", "512 bytes, plain64", "pass", "pppp")
row("H-07", "plain on a small drive", SEG + '["encryption"] = "aes-xts-plain"', "pppp")
row("H-07", "plain on 4 TiB", SEG + '["encryption"] = "aes-xts-plain"; ' + SEG + '["size"] = str(4 << 40)', "ffff",
    theirs=None)
row("H-07", "CBC with plain", SEG + '["encryption"] = "aes-cbc-plain"', "ffff")
# H-08, H-09: key derivation
row("H-08", "argon2id", "pass", "pwpw")
row("H-08", "pbkdf2", "pbkdf2(j, 800000)", "wpfp")
row("H-08", "argon2i", S0 + '["kdf"]["type"] = "argon2i"', "wfff")
row("H-09", "argon2id, 1 GiB", "pass", "pppp")
row("H-09", "argon2id, 64 MiB", S0 + '["kdf"]["memory"] = 65536', "ppfp")
row("H-09", "argon2id, 32 MiB", S0 + '["kdf"]["memory"] = 32768', "ffff")
row("H-09", "argon2id, 3 passes", S0 + '["kdf"]["time"] = 3', "ffff", theirs=None)
row("H-09", "pbkdf2, 800 000", "pbkdf2(j, 800000)", "pppp")
row("H-09", "pbkdf2, 250 000", "pbkdf2(j, 250000)", "fwfw")
row("H-09", "pbkdf2, 9 999", "pbkdf2(j, 9999)", "ffff")
row("H-09", "pbkdf2-sha512, 250 000", 'pbkdf2(j, 250000, "sha512")', "pppp")
# H-10: cheap slots
row("H-10", "cheap slots of tokens on record", "pass", "pppp", inventory={"token_slots": [1, 2]})
row("H-10", "... of which one is not", "pass", "wfff", inventory={"token_slots": [1]})
row("H-10", "... and no inventory", "pass", "uuuu")
row("H-10", "a cheap slot without token", "pbkdf2(j, 1000)", "wfff")
row("H-10", "a cheap slot with a token of unknown kind",
    'pbkdf2(j, 1000); T_["3"] = {"type": "my-own", "keyslots": ["0"]}', "wfff")
# H-11: hashes
row("H-11", "sha256 and sha512", "pass", "pppp")
row("H-11", "af sha1", S0 + '["af"]["hash"] = "sha1"', "ffff")
row("H-11", "digest sha1", 'j["digests"]["0"]["hash"] = "sha1"', "ffff")
row("H-11", "af whirlpool", S0 + '["af"]["hash"] = "whirlpool"', "pfff")
# H-12: salts
row("H-12", "32 bytes", "pass", "pppp")
row("H-12", "8 bytes", S0 + '["kdf"]["salt"] = "AAECAwQFBgc="', "ffff", theirs=None)
row("H-12", "the same twice", S0 + '["kdf"]["salt"] = ' + S1 + '["kdf"]["salt"]', "ffff")
# H-13: areas
row("H-13", "aes-xts, 64 bytes", "pass", "pppp")
row("H-13", "shorter than the volume key", S0 + '["area"]["key_size"] = 32', "ffff")
row("H-13", "CBC", S0 + '["area"]["encryption"] = "aes-cbc-essiv:sha256"; ' + S0 + '["area"]["key_size"] = 32', "ffff")
# H-14: number of slots
row("H-14", "3", "pass", "pppp")
row("H-14", "5", "more(j, 5)", "pfff")
row("H-14", "9", "more(j, 9)", "ffff")
# H-15: unbound
row("H-15", "all bound", "pass", "pppp")
row("H-15", "a digest of no data",
    'j["digests"]["1"] = copy.deepcopy(j["digests"]["0"]); j["digests"]["1"]["segments"] = [];'
    'j["digests"]["1"]["keyslots"] = ["2"]; j["digests"]["0"]["keyslots"].remove("2")', "wfff")
row("H-15", "a re-encryption", 'j["config"]["requirements"] = {"mandatory": ["offline-reencrypt"]}', "wfff", theirs=None)
# H-16, H-17: tokens
row("H-16", "known tokens", "pass", "pppp")
row("H-16", "an unknown type", 'T_["3"] = {"type": "vendor", "keyslots": ["0"]}', "wwwf")
row("H-16", "an orphan", PKCS11 + '["keyslots"] = []', "wwwf")
row("H-17", "none", "pass", "pppp")
row("H-17", "keyring", 'T_["3"] = {"type": "luks2-keyring", "keyslots": ["0"], "key_description": "x"}', "wwwf")
row("H-17", "ssh", 'T_["3"] = {"type": "ssh", "keyslots": ["0"], "ssh_server": "s", "ssh_user": "u", "ssh_path": "p", "ssh_keypath": "k"}',
    "wwwf")
row("H-17", "clevis", 'T_["3"] = {"type": "clevis", "keyslots": ["0"], "jwe": {}}', "wwwf")
row("H-17", "tpm2 without PIN", "tpm(j, False)", "wwwf")
row("H-17", "tpm2 with PIN", "tpm(j, True)", "pppp")
row("H-17", "an unknown type", 'T_["3"] = {"type": "vendor", "keyslots": ["0"]}', "uuuu")
# H-18 to H-20: smart cards
row("H-18", "P-256", "pass", "pppp")
row("H-18", "RSA 2048", PKCS11 + '["pkcs11-key"] = b64(256)', "pwff")
row("H-18", "RSA 3072", PKCS11 + '["pkcs11-key"] = b64(384)', "pppp")
row("H-18", "RSA 1024", PKCS11 + '["pkcs11-key"] = b64(128)', "ffff")
row("H-18", "no base64", PKCS11 + '["pkcs11-key"] = "!"', "ffff")
row("H-18", "no card", 'del T_["0"]', "nnnn")
row("H-19", "elliptic curve", "pass", "nnnn")
row("H-19", "RSA, v1.5", PKCS11 + '["pkcs11-key"] = b64(384)', "wfwf")
row("H-19", "RSA, OAEP", PKCS11 + '["pkcs11-key"] = b64(384); ' + PKCS11 + '["pkcs11-padding"] = "oaep-sha256"', "pppp")
row("H-20", "id, serial, private", "pass", "pppp")
row("H-20", "no id", PKCS11 + '["pkcs11-uri"] = "pkcs11:token=a;type=private"', "wwwf")
row("H-20", "id only", PKCS11 + '["pkcs11-uri"] = "pkcs11:id=%01;type=private"', "wwwf")
row("H-20", "a certificate", PKCS11 + '["pkcs11-uri"] = "pkcs11:token=a;id=%01;type=cert"', "wwwf")
row("H-20", "a PIN", PKCS11 + '["pkcs11-uri"] += "?pin-value=1234"', "wwwf")
row("H-20", "a module", PKCS11 + '["pkcs11-uri"] += "?x=1&module-path=/tmp/evil.so"', "wwwf")
# H-21: FIDO2
row("H-21", "none", "pass", "nnnn")
row("H-21", "touch and PIN", "fido(j)", "pppp")
row("H-21", "touch only", 'fido(j)["fido2-clientPin-required"] = False', "pfff")
row("H-21", "no touch", 'fido(j)["fido2-up-required"] = False', "ffff")
row("H-21", "a flag is missing", 'del fido(j)["fido2-uv-required"]', "ffff")
row("H-21", "another relying party", 'fido(j)["fido2-rp"] = "example.org"', "ffff")
row("H-21", "a short salt", 'fido(j)["fido2-salt"] = b64(16)', "ffff")
# H-22: TPM
row("H-22", "none", "pass", "nnnn")
row("H-22", "PCR 7, sha256, PIN", "tpm(j, True)", "pppp")
row("H-22", "no PIN", "tpm(j, False)", "wfff")
row("H-22", "bank sha1", 'tpm(j, True)["tpm2-pcr-bank"] = "sha1"', "wfff")
row("H-22", "no PCR", 'tpm(j, True)["tpm2-pcrs"] = []', "wfff")
# H-23, H-24: recovery, two factors
row("H-23", "one", "pass", "pppp")
row("H-23", "none", 'del T_["1"]', "wfff")
row("H-23", "two", 'T_["3"] = {"type": "systemd-recovery", "keyslots": ["0"]}', "wfff")
row("H-23", "an orphan", 'T_["1"]["keyslots"] = []', "wfff")
row("H-24", "a card", "pass", "-ppp")
row("H-24", "no card", 'del T_["0"]', "-wwf")
row("H-24", "a security key without PIN", 'del T_["0"]; fido(j)["fido2-clientPin-required"] = False', "-wwf")
# H-25, H-26
label = lambda text: 'im.bins[0]["label"] = im.bins[1]["label"] = %r.encode().ljust(48, b"\\0")' % text
row("H-25", "no label", "pass", "pppp")
row("H-25", "a number", label("INV-0042"), "pppp")
row("H-25", "TỐI MẬT", label("Hồ sơ TỐI MẬT 3"), "wwwf")
row("H-25", "a word inside of another", label("Secretariat"), "pppp")
row("H-25", "an address", label("an.nguyen@example.org"), "wwwf")
row("H-25", "a token that says it", PKCS11 + '["pkcs11-uri"] += ";object=top%20secret;manufacturer=secret"', "wwwf")
row("H-26", "not set", "pass", "pppp")
row("H-26", "set", 'j["config"]["flags"] = ["allow-discards"]', "wwww")
# H-27: with others
row("H-27", "alone", "pass", "nnnn")
row("H-27", "with another drive", "pass", "pppp", others=["stranger"])
row("H-27", "with its copy", "pass", "ffff", others=["copy"])
row("H-27", "the same key, another UUID", 'im.bins[0]["uuid"] = im.bins[1]["uuid"] = b"11111111-2222-4333-8444-555555555555".ljust(40, b"\\0")',
    "ffff", others=["copy"])
row("H-27", "with a backup of its header", "pass", "pppp", others=["backup"])
row("H-12", "a salt of another drive", "pass", "ffff", others=["copy"])
# D
row("D-01", "nothing beside", "pass", "pppp")
row("D-01", "more than 1 MiB behind the data", SEG + '["size"] = str(256 << 10)', "wfff")
row("D-01", "a header backup", "im.cut = True", "uuuu")
row("D-02", "random", "pass", "pppp")
row("D-02", "zeroes", "im.zero = True", "wwww")
row("D-02", "a header backup", "im.cut = True", "uuuu")
row("D-03", "no inventory", "pass", "uuuu")
row("D-03", "size as on record", "pass", "pppp", inventory={"size_bytes": 4 << 20})
row("D-03", "another size", "pass", "wwwf", inventory={"size_bytes": 5 << 20})
row("D-03", "another serial number", "pass", "wwwf", inventory={"serial": "A1"})
row("D-03", "not on record", "pass", "wwwf", inventory=None)
# U: from saved facts here, from drives in tests/audit.sh
unlocked = 'd["unlocked"] = {"clean": "yes", "halves_differ": True, "published": False, "random": True}; '
row("U-01", "locked", "pass", "uuuu")
row("U-01", "different", unlocked, "pppp", facts=True)
row("U-01", "equal", unlocked + 'd["unlocked"]["halves_differ"] = False', "ffff", facts=True)
row("U-02", "random", unlocked, "pppp", facts=True)
row("U-02", "a pattern", unlocked + 'd["unlocked"]["random"] = False', "ffff", facts=True)
row("U-02", "published", unlocked + 'd["unlocked"]["published"] = True', "ffff", facts=True)
row("U-03", "no key for fingerprints", unlocked, "uuuu", facts=True)
printed = unlocked + 'd["unlocked"]["fingerprint"] = "a1" * 32'
row("U-03", "no inventory", printed, "uuuu", facts=True)
row("U-03", "no fingerprint on record", printed, "uuuu", facts=True, inventory={"size_bytes": 4 << 20})
row("U-03", "as on record", printed, "pppp", facts=True, inventory={"key_fingerprint": "a1" * 32})
row("U-03", "another one", printed, "wfff", facts=True, inventory={"key_fingerprint": "a2" * 32})
row("U-03", "not on record", printed, "wfff", facts=True, inventory=None)
row("U-03", "that of another drive as well", printed, "wfff", facts=True, inventory={"key_fingerprint": "a1" * 32}, twice=True)
row("U-04", "clean", unlocked, "pppp", facts=True)
row("U-04", "not clean", unlocked + 'd["unlocked"]["clean"] = "no"', "wwww", facts=True)
row("U-04", "not looked at", unlocked + 'd["unlocked"]["clean"] = "unknown"', "uuuu", facts=True)
row("U-06", "locked", "pass", "uuuu")
row("U-06", "sealed", unlocked + 'd["unlocked"]["seal"] = "right"', "pppp", facts=True)
row("U-06", "never sealed", unlocked + 'd["unlocked"]["seal"] = "none"', "uuuu", facts=True)
row("U-06", "changed", unlocked + 'd["unlocked"].update(seal="broken", changed="token 0 was added")', "ffff", facts=True)
row("U-06", "sealed no more", unlocked + 'd["unlocked"]["seal"] = "removed"', "ffff", facts=True)
row("U-06", "facts of before", unlocked, "uuuu", facts=True)


# ---- what the statements use ----

def keys(j, size):
    for slot in j["keyslots"].values():
        slot["key_size"] = slot["area"]["key_size"] = size


def pbkdf2(j, iterations, hash="sha256"):
    kdf = j["keyslots"]["0"]["kdf"]
    j["keyslots"]["0"]["kdf"] = {"type": "pbkdf2", "hash": hash, "iterations": iterations, "salt": kdf["salt"]}


def more(j, count):
    first = j["keyslots"]["0"]
    size = int(first["area"]["size"])
    for i in range(3, count):
        slot = copy.deepcopy(first)
        slot["area"]["offset"] = str(max(int(s["area"]["offset"]) for s in j["keyslots"].values()) + size)
        slot["kdf"]["salt"] = base64.b64encode(hashlib.sha256(bytes([i])).digest()).decode()
        j["keyslots"][str(i)] = slot
        j["digests"]["0"]["keyslots"].append(str(i))


def tpm(j, pin):
    j["tokens"]["3"] = {"type": "systemd-tpm2", "keyslots": ["1"], "tpm2-blob": b64(240), "tpm2-pcrs": [7],
                        "tpm2-pcr-bank": "sha256", "tpm2-primary-alg": "ecc", "tpm2-policy-hash": "00" * 32, "tpm2-pin": pin}
    return j["tokens"]["3"]


def fido(j):
    j["tokens"]["3"] = {"type": "systemd-fido2", "keyslots": ["1"], "fido2-credential": b64(48), "fido2-salt": b64(32),
                        "fido2-rp": "io.systemd.cryptsetup", "fido2-clientPin-required": True,
                        "fido2-up-required": True, "fido2-uv-required": False}
    return j["tokens"]["3"]


def T2(j):
    for section in ("digests", "tokens"):
        for o in j[section].values():
            o["keyslots"] = ["07" if s == "2" else s for s in o["keyslots"]]


def good(im):
    """Passes every check of the header that has no choice between profiles."""
    j = im.doc
    for slot in j["keyslots"].values():
        slot["kdf"]["salt"] = slot["kdf"]["salt"]
    j["keyslots"]["0"]["kdf"].update(time=4, memory=1048576, cpus=4)
    j["tokens"] = {
        "0": {"type": "systemd-pkcs11", "keyslots": ["1"], "pkcs11-key": b64(65),
              "pkcs11-uri": "pkcs11:token=card;serial=0123;id=%01;type=private"},
        "1": {"type": "systemd-recovery", "keyslots": ["2"]},
    }
    return im


def build(base, statement):
    im = good(base.clone())
    im.break_copy, im.blank, im.zero, im.cut = None, False, False, False
    exec(statement, globals(), {"im": im, "j": im.doc, "T_": im.doc["tokens"], "copy": copy})
    data = bytearray(im.build())
    if im.break_copy is not None:
        data[im.break_copy * im.hdr_size + 5000] ^= 1
    if im.zero:
        data[DATA:] = bytes(len(data) - DATA)
    if im.blank:
        data = bytearray(len(data))
    if im.cut:
        data = data[:DATA]
    return bytes(data)


def reseal(text, statement):
    doc = json.loads(text)
    exec(statement, globals(), {"d": doc["drives"][0]})
    del doc["sha256"]
    canonical = lambda o: json.dumps(o, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    doc["sha256"] = hashlib.sha256(canonical(doc).encode()).hexdigest()
    return canonical(doc) + "\n"


def audit(arguments):
    run = subprocess.run(["sealdrive", "audit", "--format", "json", "--date", "2026-11-30"] + arguments, capture_output=True)
    return json.loads(run.stdout) if run.returncode in (0, 9) else {"failed": run.stderr.decode()}, run.returncode


def state(report, check):
    return {f["id"]: f["state"] for f in report["drives"][0]["findings"]}.get(check)


def main():
    base_path, folder = sys.argv[1:]
    base = Image(open(base_path, "rb").read())
    path = lambda name: os.path.join(folder, name)
    uuid = base.bins[0]["uuid"].rstrip(b"\0").decode()
    plain = build(base, "pass")
    open(path("copy"), "wb").write(plain)
    open(path("backup"), "wb").write(plain[:DATA])
    seen = {}
    for n, (check, name, statement, expected, more_) in enumerate(ROWS):
        target = path("row%d" % n)
        open(target, "wb").write(plain if more_.get("facts") else build(base, statement))
        if more_.get("facts"):
            audit(["--facts", path("facts"), target])
            text = reseal(open(path("facts"), encoding="utf-8").read(), statement)
            open(target, "w", encoding="utf-8").write(text)
            if more_.get("twice"):  # another UUID, the same key
                open(path("twice"), "w", encoding="utf-8").write(reseal(text, 'd["header"]["uuid"] = "2" * 8'))
        extra = ([path("twice")] if more_.get("twice") else []) + [path(o) for o in more_.get("others", [])]
        if "inventory" in more_:
            record = [] if more_["inventory"] is None else [dict(more_["inventory"], uuid=uuid)]
            open(path("inventory"), "w").write(json.dumps({"schema": 1, "drives": record}))
            extra += ["--inventory", path("inventory")]
        got = []
        reports = POOL.map(lambda profile: audit([target] + extra + ["--profile", profile]), PROFILES)
        for (report, status), wanted in zip(reports, expected):
            got.append(report["failed"] if "failed" in report else state(report, check))
            if "drives" in report and status != (9 if report["counts"]["fail"] else 0):
                got.append("exit status %d" % status)
            seen.setdefault(check, set()).add(wanted)
        theirs = more_.get("theirs", True)
        if theirs is not None and not more_.get("facts"):
            dump = subprocess.run(["cryptsetup", "--disable-locks", "luksDump", target], capture_output=True)
            if (dump.returncode == 0) != theirs:
                got.append("cryptsetup: %d %s" % (dump.returncode, dump.stderr.decode().strip()))
        print("%sok - %s: %s" % ("" if got == expected else "not ", check, name))
        if got != expected:
            print("# got %s, wanted %s" % (got, expected))
        os.unlink(target)
    # every check has a drive that passes and one that does not
    report, _ = audit([path("copy"), "--profile", "vn-qcvn"])
    for finding in report["drives"][0]["findings"]:
        states = seen.get(finding["id"], set())
        whole = "pass" in states and states & {"fail", "warn"}
        print("%sok - %s: there are good and bad drives in the table" % ("" if whole else "not ", finding["id"]))


main()
