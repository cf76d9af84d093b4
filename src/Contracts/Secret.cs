using System.Security.Cryptography;
using System.Text;

namespace BackupDr.Contracts;

/// <summary>A password or key held in memory. It has no text form, so it cannot be logged or serialised by accident.</summary>
public sealed class Secret : IDisposable
{
    readonly byte[] _bytes;

    /// <summary>Copies <paramref name="bytes"/>; <see cref="Dispose"/> wipes the copy.</summary>
    public Secret(ReadOnlySpan<byte> bytes) => _bytes = bytes.ToArray();

    /// <summary>The secret's UTF-8 bytes.</summary>
    public static Secret FromText(string text) => new(Encoding.UTF8.GetBytes(text));

    /// <summary>A fresh one: <paramref name="sizeBytes"/> random bytes of the system's generator, at least 16, in base64url
    /// letters.</summary>
    public static Secret Random(int sizeBytes = 24)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizeBytes, 16);
        var text = Convert.ToBase64String(RandomNumberGenerator.GetBytes(sizeBytes)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        return FromText(text);
    }

    /// <summary>The bytes; valid until <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>The text, for the few places that must write it (a 0600 file, a request body). Named so that a reader notices.</summary>
    public string Reveal() => Encoding.UTF8.GetString(_bytes);

    /// <summary>Stars, always.</summary>
    public override string ToString() => "***";

    /// <summary>Wipes the bytes.</summary>
    public void Dispose() => CryptographicOperations.ZeroMemory(_bytes);
}
