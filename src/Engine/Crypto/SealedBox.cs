using System.Security.Cryptography;

namespace BackupDr.Engine.Crypto;

/// <summary>Seals and opens byte strings in place: IV, ciphertext, tag. Not thread safe; each worker has its own.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-3. Uses libcrypto with contexts kept per box, or the managed twins.</remarks>
public sealed unsafe class SealedBox : IDisposable
{
    /// <summary>Bytes of the IV, which come first.</summary>
    public const int IvSize = 16;
    /// <summary>Bytes of the tag, which come last.</summary>
    public const int TagSize = 16;
    /// <summary>How much longer than the plain bytes the sealed ones are.</summary>
    public const int Overhead = IvSize + TagSize;

    readonly MasterKey _key;
    readonly bool _native;
    readonly Aes? _nonceCipher;
    IntPtr _cipher, _nonce, _mac;

    /// <param name="key">The keys.</param>
    /// <param name="managedOnly">Use the managed twins although libcrypto is there.</param>
    public SealedBox(MasterKey key, bool managedOnly = false)
    {
        _key = key;
        _native = !managedOnly && LibCrypto.IsPresent;
        if (!_native)
        {
            _nonceCipher = Aes.Create();
            _nonceCipher.Key = key.MacK;
            return;
        }
        _cipher = LibCrypto.EVP_CIPHER_CTX_new();
        _nonce = LibCrypto.EVP_CIPHER_CTX_new();
        _mac = LibCrypto.EVP_MAC_CTX_new(Poly1305Mac.Value);
        fixed (byte* k = key.MacK, encrypt = key.Encrypt)
        {
            Must(LibCrypto.EVP_EncryptInit_ex(_nonce, LibCrypto.EVP_aes_128_ecb(), IntPtr.Zero, k, null));
            Must(LibCrypto.EVP_CIPHER_CTX_set_padding(_nonce, 0));
            Must(LibCrypto.EVP_EncryptInit_ex(_cipher, LibCrypto.EVP_aes_256_ctr(), IntPtr.Zero, encrypt, null));
        }
    }

    static readonly Lazy<IntPtr> Poly1305Mac = new(() => LibCrypto.EVP_MAC_fetch(IntPtr.Zero, "POLY1305", null) is var mac
        && mac != IntPtr.Zero
        ? mac : throw new CryptographicException("libcrypto offers no POLY1305."));

    /// <summary>Seals in place: <paramref name="box"/> is IV (filled here), plain bytes (become ciphertext), tag (filled here).</summary>
    public void Seal(Span<byte> box)
    {
        var iv = box[..IvSize];
        do RandomNumberGenerator.Fill(iv); while (!iv.ContainsAnyExcept((byte)0));   // an IV of zeros is invalid by definition
        var text = box[IvSize..^TagSize];
        Cipher(iv, text);
        Tag(iv, text, box[^TagSize..]);
    }

    /// <summary>Seals a copy.</summary>
    public byte[] Seal(ReadOnlySpan<byte> plain, out int length)
    {
        var box = new byte[length = plain.Length + Overhead];
        plain.CopyTo(box.AsSpan(IvSize));
        Seal(box);
        return box;
    }

    /// <summary>Opens in place; false, with the box unchanged, where it was not sealed with these keys.</summary>
    /// <param name="box">The whole sealed thing.</param>
    /// <param name="plain">The part of <paramref name="box"/> that holds the plain bytes afterwards.</param>
    public bool TryOpen(Span<byte> box, out Span<byte> plain)
    {
        plain = default;
        if (!IsAuthentic(box)) return false;
        plain = box[IvSize..^TagSize];
        Cipher(box[..IvSize], plain);
        return true;
    }

    /// <summary>Whether the box was sealed with these keys; it is not opened.</summary>
    public bool IsAuthentic(ReadOnlySpan<byte> box)
    {
        if (box.Length < Overhead) return false;
        var iv = box[..IvSize];
        if (!iv.ContainsAnyExcept((byte)0)) return false;
        Span<byte> tag = stackalloc byte[TagSize];
        Tag(iv, box[IvSize..^TagSize], tag);
        return CryptographicOperations.FixedTimeEquals(tag, box[^TagSize..]);
    }

    void Cipher(ReadOnlySpan<byte> iv, Span<byte> text)
    {
        if (!_native) { AesCtr.Apply(_key.Encrypt, iv, text); return; }
        fixed (byte* ivAt = iv, textAt = text)
        {
            Must(LibCrypto.EVP_EncryptInit_ex(_cipher, IntPtr.Zero, IntPtr.Zero, null, ivAt));
            if (!text.IsEmpty) Must(LibCrypto.EVP_EncryptUpdate(_cipher, textAt, out _, textAt, text.Length));
        }
    }

    void Tag(ReadOnlySpan<byte> iv, ReadOnlySpan<byte> text, Span<byte> tag)
    {
        Span<byte> oneTime = stackalloc byte[32];
        _key.MacR.CopyTo(oneTime);
        oneTime[3] &= 0x0f; oneTime[7] &= 0x0f; oneTime[11] &= 0x0f; oneTime[15] &= 0x0f;
        oneTime[4] &= 0xfc; oneTime[8] &= 0xfc; oneTime[12] &= 0xfc;
        if (!_native)
        {
            _nonceCipher!.EncryptEcb(iv, oneTime[16..], PaddingMode.None);
            Poly1305.Tag(oneTime[..16], oneTime[16..], text, tag);
            return;
        }
        byte none = 0;
        fixed (byte* ivAt = iv, key = oneTime, textAt = text, tagAt = tag)
        {
            Must(LibCrypto.EVP_EncryptUpdate(_nonce, key + 16, out _, ivAt, IvSize));
            Must(LibCrypto.EVP_MAC_init(_mac, key, 32, IntPtr.Zero));
            Must(LibCrypto.EVP_MAC_update(_mac, text.IsEmpty ? &none : textAt, (nuint)text.Length));
            Must(LibCrypto.EVP_MAC_final(_mac, tagAt, out _, TagSize));
        }
    }

    static void Must(int result)
    {
        if (result != 1) throw new CryptographicException("A call of libcrypto failed.");
    }

    /// <summary>Frees the contexts.</summary>
    public void Dispose()
    {
        _nonceCipher?.Dispose();
        if (_cipher != IntPtr.Zero) LibCrypto.EVP_CIPHER_CTX_free(_cipher);
        if (_nonce != IntPtr.Zero) LibCrypto.EVP_CIPHER_CTX_free(_nonce);
        if (_mac != IntPtr.Zero) LibCrypto.EVP_MAC_CTX_free(_mac);
        (_cipher, _nonce, _mac) = (IntPtr.Zero, IntPtr.Zero, IntPtr.Zero);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what a lost box left.</summary>
    ~SealedBox() => Dispose();
}
