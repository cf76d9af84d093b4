using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Compresses and seals the objects of an export: Brotli, then AES-256-GCM under a key that is derived from the recovery key,
/// bound to the object's name.</summary>
/// <remarks>An object is one version byte, a 12-byte nonce, a 16-byte tag and the cipher text. Names of parts are a keyed hash of their
/// content: who sees the location learns nothing from them, and the same content is stored once.</remarks>
sealed class ExportBox
{
    const byte Version = 1;
    const int NonceBytes = 12, TagBytes = 16, HeadBytes = 1 + NonceBytes + TagBytes;
    const int Quality = 5;

    /// <summary>Most bytes that one object may unpack to.</summary>
    public const int LargestPlain = 512 << 20;

    readonly byte[] _seal, _names, _terms;

    /// <param name="recoveryKey">32 bytes.</param>
    public ExportBox(ReadOnlySpan<byte> recoveryKey)
    {
        _seal = Derive(recoveryKey, "backupdr export: seal"u8);
        _names = Derive(recoveryKey, "backupdr export: names"u8);
        _terms = Derive(recoveryKey, "backupdr terms"u8);
    }

    static byte[] Derive(ReadOnlySpan<byte> key, ReadOnlySpan<byte> purpose)
    {
        var derived = new byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, key, derived, [], purpose);
        return derived;
    }

    /// <summary>The last segment of a part's name: 64 hex characters.</summary>
    public string PartName(string table, ReadOnlySpan<byte> plain)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _names);
        hash.AppendData(Encoding.UTF8.GetBytes($"{table}\n"));
        hash.AppendData(plain);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>What shows that a term was begun by somebody with the recovery key: 64 hex characters.</summary>
    public string TermSeal(Guid installation, long term)
        => Convert.ToHexStringLower(HMACSHA256.HashData(_terms, Encoding.UTF8.GetBytes($"{installation:N} {term:D}")));

    /// <summary>Packs and seals.</summary>
    public byte[] Seal(string name, ReadOnlySpan<byte> plain)
    {
        var packed = new byte[BrotliEncoder.GetMaxCompressedLength(plain.Length)];
        if (!BrotliEncoder.TryCompress(plain, packed, out var length, Quality, window: 22))
            throw new InvalidOperationException("Brotli needs more than its own upper bound.");
        var box = new byte[HeadBytes + length];
        box[0] = Version;
        RandomNumberGenerator.Fill(box.AsSpan(1, NonceBytes));
        using var cipher = new AesGcm(_seal, TagBytes);
        cipher.Encrypt(box.AsSpan(1, NonceBytes), packed.AsSpan(0, length), box.AsSpan(HeadBytes), box.AsSpan(1 + NonceBytes, TagBytes),
            Encoding.UTF8.GetBytes(name));
        return box;
    }

    /// <summary>Opens and unpacks what was sealed under this name.</summary>
    /// <exception cref="ConflictException">It does not open with this key, or was changed.</exception>
    public byte[] Open(string name, ReadOnlySpan<byte> box)
    {
        if (box.Length < HeadBytes || box[0] != Version) throw Unopened(name);
        var packed = new byte[box.Length - HeadBytes];
        using var cipher = new AesGcm(_seal, TagBytes);
        try
        {
            cipher.Decrypt(box.Slice(1, NonceBytes), box[HeadBytes..], box.Slice(1 + NonceBytes, TagBytes), packed,
                Encoding.UTF8.GetBytes(name));
        }
        catch (AuthenticationTagMismatchException) { throw Unopened(name); }
        using var unpacked = new MemoryStream();
        using var brotli = new BrotliStream(new MemoryStream(packed), CompressionMode.Decompress);
        var buffer = new byte[1 << 16];
        for (int read; (read = brotli.Read(buffer)) > 0;)
        {
            if (unpacked.Length + read > LargestPlain) throw Unopened(name);
            unpacked.Write(buffer, 0, read);
        }
        return unpacked.ToArray();
    }

    static ConflictException Unopened(string name) => new("export.unopened",
        $"{name} does not open with this recovery key, or was changed.",
        "Compare the key with the recovery kit; if it is right, name an older entry, or another location.");
}
