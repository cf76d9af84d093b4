using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Secrets;

/// <summary>Seals what the database keeps secret, under a key that is not in the database: AES-256-GCM, bound to table, row and
/// column.</summary>
/// <remarks>A sealed value is one version byte, a 12-byte nonce, a 16-byte tag and the cipher text.</remarks>
public sealed class SealedSecrets(SecretsOptions options, Postgres db, TimeProvider clock)
{
    const int NonceBytes = 12;
    const int TagBytes = 16;
    const int HeadBytes = 1 + NonceBytes + TagBytes;
    const byte Version = 1;

    byte[]? _key;

    /// <summary>Reads the key file; makes it where neither it nor a sealed value exists yet. Called once, before anything else.</summary>
    /// <exception cref="BadInputException">The file is missing though the database was sealed, is no key, or is another
    /// installation's.</exception>
    public async Task Load(CancellationToken ct)
    {
        var known = await db.Scalar<byte[]>("select fingerprint from sealing_key", [], ct);
        var file = new KeyFile(options.KeyFile, clock);
        if (!file.Exists)
        {
            if (known is not null)
                throw KeyFile.Wrong($"The key file {options.KeyFile} is missing, but the database holds secrets sealed with it.",
                    "Copy the key file of another node of this installation there, with mode 0600.");
            file.Make();
        }
        var key = await file.Read(ct);
        var fingerprint = Fingerprint(key);
        await db.Execute("insert into sealing_key (fingerprint) values ($1) on conflict do nothing", [fingerprint], ct);
        known = await db.Scalar<byte[]>("select fingerprint from sealing_key", [], ct);
        if (!fingerprint.AsSpan().SequenceEqual(known))
            throw KeyFile.Wrong($"The key file {options.KeyFile} is not the one that sealed the secrets in this database.",
                "All nodes of an installation share one key file; copy it from another node.");
        _key = key;
    }

    /// <summary>Seals with this key, for a database that is only about to get it.</summary>
    internal static SealedSecrets With(byte[] key) => new(new SecretsOptions(), db: null!, TimeProvider.System) { _key = key };

    /// <summary>What tells one key from another, without giving it away.</summary>
    internal static byte[] Fingerprint(byte[] key) => SHA256.HashData([.. "backupdr sealing key"u8, .. key]);

    /// <summary>Seals bytes for one column of one row.</summary>
    public byte[] Seal(string table, string row, string column, ReadOnlySpan<byte> plain)
    {
        var box = new byte[HeadBytes + plain.Length];
        box[0] = Version;
        RandomNumberGenerator.Fill(box.AsSpan(1, NonceBytes));
        using var cipher = new AesGcm(Key, TagBytes);
        cipher.Encrypt(box.AsSpan(1, NonceBytes), plain, box.AsSpan(HeadBytes), box.AsSpan(1 + NonceBytes, TagBytes),
            Place(table, row, column));
        return box;
    }

    /// <summary>Opens what was sealed for exactly this column of this row.</summary>
    /// <exception cref="ConflictException">It does not open: it was changed, or moved from another place.</exception>
    public byte[] Open(string table, string row, string column, ReadOnlySpan<byte> box)
    {
        if (box.Length < HeadBytes || box[0] != Version) throw Unopened(table, column);
        var plain = new byte[box.Length - HeadBytes];
        using var cipher = new AesGcm(Key, TagBytes);
        try
        {
            cipher.Decrypt(box.Slice(1, NonceBytes), box[HeadBytes..], box.Slice(1 + NonceBytes, TagBytes), plain,
                Place(table, row, column));
        }
        catch (AuthenticationTagMismatchException)
        {
            throw Unopened(table, column);
        }
        return plain;
    }

    /// <summary>The key itself, base64: for the one place outside that an owner keeps.</summary>
    internal string KeyText() => Convert.ToBase64String(Key);

    byte[] Key => _key ?? throw new InvalidOperationException("The sealing key was not loaded.");

    static byte[] Place(string table, string row, string column) => Encoding.UTF8.GetBytes($"{table}|{row}|{column}");

    static ConflictException Unopened(string table, string column) => new("secret.unopened",
        $"A sealed value of {table}.{column} does not open: it was changed or moved.", "Restore this row of the database from a backup.");
}
