using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace BackupDr.Contracts.Rules.Runbooks.Bundles;

/// <summary>Seals what a bundle holds in secret: AES-256-GCM under a key of its own, which the passphrase opens, and the recovery key too.
/// </summary>
/// <remarks>The box is bound to every other byte of the bundle. Whoever alters one and signs the bundle anew with a key of his own has a
/// bundle that does not open.</remarks>
public static class BundleSealing
{
    /// <summary>Rounds of PBKDF2 with SHA-512.</summary>
    public const int Rounds = 600_000;
    /// <summary>Most rounds that are computed for a bundle that somebody hands us.</summary>
    public const int MostRounds = 10_000_000;
    /// <summary>Fewest characters of a passphrase.</summary>
    public const int ShortestPassphrase = 12;

    const int KeyBytes = 32, NonceBytes = 12, TagBytes = 16, SaltBytes = 16;
    static readonly byte[] Purpose = "backupdr bundle"u8.ToArray();

    /// <summary>Seals.</summary>
    /// <param name="secrets">What is sealed.</param>
    /// <param name="bound">Hash of everything else in the bundle.</param>
    /// <param name="passphrase">Opens it; at least <see cref="ShortestPassphrase"/> characters.</param>
    /// <param name="recoveryKey">Opens it too: 32 bytes.</param>
    /// <param name="rounds">Rounds of the passphrase.</param>
    public static BundleSeal Seal(BundleSecrets secrets, string bound, string passphrase, ReadOnlySpan<byte> recoveryKey,
        int rounds = Rounds)
    {
        var (key, salt) = (RandomNumberGenerator.GetBytes(KeyBytes), RandomNumberGenerator.GetBytes(SaltBytes));
        return new BundleSeal
        {
            Rounds = rounds,
            Salt = Convert.ToBase64String(salt),
            ByPassphrase = Box(OfPassphrase(passphrase, salt, rounds), key, bound),
            ByRecoveryKey = Box(OfRecoveryKey(recoveryKey), key, bound),
            Box = Box(key, JsonSerializer.SerializeToUtf8Bytes(secrets, BundleJson.Default.BundleSecrets), bound),
        };
    }

    /// <summary>Opens it with the passphrase.</summary>
    /// <exception cref="ConflictException">"bundle.unopened": it is another passphrase, or something was altered.</exception>
    public static BundleSecrets Open(BundleSeal seal, string bound, string passphrase)
        => Open(seal, bound, seal.ByPassphrase, OfPassphrase(passphrase, Bytes(seal.Salt), seal.Rounds is > 0 and <= MostRounds
            ? seal.Rounds : throw Unopened()));

    /// <summary>Opens it with the recovery key.</summary>
    /// <exception cref="ConflictException">"bundle.unopened": it is another key, or something was altered.</exception>
    public static BundleSecrets OpenByRecoveryKey(BundleSeal seal, string bound, ReadOnlySpan<byte> recoveryKey)
        => Open(seal, bound, seal.ByRecoveryKey, OfRecoveryKey(recoveryKey));

    static BundleSecrets Open(BundleSeal seal, string bound, string wrapped, byte[] by)
    {
        var plain = Unbox(Unbox(by, wrapped, bound), seal.Box, bound);
        try { return JsonSerializer.Deserialize(plain, BundleJson.Default.BundleSecrets) ?? throw Unopened(); }
        catch (JsonException) { throw Unopened(); }
    }

    static byte[] OfPassphrase(string passphrase, byte[] salt, int rounds)
        => Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(passphrase), salt, rounds, HashAlgorithmName.SHA512, KeyBytes);

    static byte[] OfRecoveryKey(ReadOnlySpan<byte> key)
    {
        var derived = new byte[KeyBytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, key, derived, [], Purpose);
        return derived;
    }

    static string Box(byte[] key, ReadOnlySpan<byte> plain, string bound)
    {
        var box = new byte[NonceBytes + TagBytes + plain.Length];
        RandomNumberGenerator.Fill(box.AsSpan(0, NonceBytes));
        using var cipher = new AesGcm(key, TagBytes);
        cipher.Encrypt(box.AsSpan(0, NonceBytes), plain, box.AsSpan(NonceBytes + TagBytes), box.AsSpan(NonceBytes, TagBytes),
            Encoding.UTF8.GetBytes(bound));
        return Convert.ToBase64String(box);
    }

    static byte[] Unbox(byte[] key, string text, string bound)
    {
        var box = Bytes(text);
        if (key.Length != KeyBytes || box.Length < NonceBytes + TagBytes) throw Unopened();
        var plain = new byte[box.Length - NonceBytes - TagBytes];
        using var cipher = new AesGcm(key, TagBytes);
        try
        {
            cipher.Decrypt(box.AsSpan(0, NonceBytes), box.AsSpan(NonceBytes + TagBytes), box.AsSpan(NonceBytes, TagBytes), plain,
                Encoding.UTF8.GetBytes(bound));
        }
        catch (AuthenticationTagMismatchException) { throw Unopened(); }
        return plain;
    }

    static byte[] Bytes(string text)
    {
        try { return Convert.FromBase64String(text); }
        catch (FormatException) { throw Unopened(); }
    }

    static ConflictException Unopened() => new("bundle.unopened", "The bundle does not open with this passphrase.",
        "Type it as it was given when the bundle was made, or use the recovery key of the recovery kit. If it is right, the bundle was "
        + "altered and signed anew by somebody else: use another copy.");
}
