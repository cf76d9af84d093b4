using System.Security.Cryptography;
using System.Text;

namespace BackupDr.Scheduler.Secrets;

/// <summary>The keys that a node has at one moment, and what they seal and open: AES-256-GCM.</summary>
/// <remarks>A sealed value is one version byte, a 12-byte nonce, a 16-byte tag and the cipher text.</remarks>
/// <param name="Present">Opens everything, but for what is sealed with the next one already.</param>
/// <param name="Next">Comes after it, while the key is exchanged.</param>
/// <param name="SealsWithNext">Whether every node can open what the next one seals.</param>
sealed record SealingKeys(byte[] Present, byte[]? Next = null, bool SealsWithNext = false)
{
    const int NonceBytes = 12;
    const int TagBytes = 16;
    const int HeadBytes = 1 + NonceBytes + TagBytes;
    const byte Version = 1;

    /// <summary>Seals with this one.</summary>
    public byte[] Sealing => SealsWithNext && Next is not null ? Next : Present;

    /// <summary>The newest that is here.</summary>
    public byte[] Newest => Next ?? Present;

    /// <summary>All of them, the present one first: what a key file holds.</summary>
    public byte[] Bytes => Next is null ? Present : [.. Present, .. Next];

    /// <summary>What tells one key from another, without giving it away.</summary>
    public static byte[] Fingerprint(byte[] key) => SHA256.HashData([.. "backupdr sealing key"u8, .. key]);

    /// <summary>Those of two key files, each once.</summary>
    public static byte[] Union(byte[] first, byte[] second)
        => [.. first.Chunk(KeyFile.Bytes).Concat(second.Chunk(KeyFile.Bytes)).DistinctBy(Convert.ToHexString).SelectMany(key => key)];

    /// <summary>Opens with whichever fits; null where none does.</summary>
    public byte[]? Open(string place, ReadOnlySpan<byte> box)
        => Open(Present, place, box) ?? (Next is null ? null : Open(Next, place, box));

    /// <summary>Seals with a key for one place.</summary>
    public static byte[] Seal(byte[] key, string place, ReadOnlySpan<byte> plain)
    {
        var box = new byte[HeadBytes + plain.Length];
        box[0] = Version;
        RandomNumberGenerator.Fill(box.AsSpan(1, NonceBytes));
        using var cipher = new AesGcm(key, TagBytes);
        cipher.Encrypt(box.AsSpan(1, NonceBytes), plain, box.AsSpan(HeadBytes), box.AsSpan(1 + NonceBytes, TagBytes),
            Encoding.UTF8.GetBytes(place));
        return box;
    }

    /// <summary>Opens with a key; null where it was sealed with another, for another place, or was changed.</summary>
    public static byte[]? Open(byte[] key, string place, ReadOnlySpan<byte> box)
    {
        if (box.Length < HeadBytes || box[0] != Version) return null;
        var plain = new byte[box.Length - HeadBytes];
        using var cipher = new AesGcm(key, TagBytes);
        try
        {
            cipher.Decrypt(box.Slice(1, NonceBytes), box[HeadBytes..], box.Slice(1 + NonceBytes, TagBytes), plain,
                Encoding.UTF8.GetBytes(place));
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;   // whoever asked tries the other key, or says that it does not open
        }
        return plain;
    }
}
