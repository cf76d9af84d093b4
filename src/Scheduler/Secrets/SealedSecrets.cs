using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Storage.Posix;

namespace BackupDr.Scheduler.Secrets;

/// <summary>Seals what the database keeps secret, under a key that is not in the database: AES-256-GCM, bound to table, row and
/// column.</summary>
/// <remarks>A sealed value is one version byte, a 12-byte nonce, a 16-byte tag and the cipher text.</remarks>
public sealed class SealedSecrets(SecretsOptions options, Postgres db, TimeProvider clock)
{
    const int KeyBytes = 32;
    const int NonceBytes = 12;
    const int TagBytes = 16;
    const int HeadBytes = 1 + NonceBytes + TagBytes;
    const byte Version = 1;
    const int KeyFilePermissions = 0x180;   // 0600

    byte[]? _key;

    /// <summary>Reads the key file; makes it where neither it nor a sealed value exists yet. Called once, before anything else.</summary>
    /// <exception cref="BadInputException">The file is missing though the database was sealed, is no key, or is another
    /// installation's.</exception>
    public async Task Load(CancellationToken ct)
    {
        var known = await db.Scalar<byte[]>("select fingerprint from sealing_key", [], ct);
        if (!File.Exists(options.KeyFile))
        {
            if (known is not null)
                throw Wrong($"The key file {options.KeyFile} is missing, but the database holds secrets sealed with it.",
                    "Copy the key file of another node of this installation there, with mode 0600.");
            MakeKeyFile();
        }
        var key = await ReadKeyFile(ct);
        var fingerprint = SHA256.HashData([.. "backupdr sealing key"u8, .. key]);
        await db.Execute("insert into sealing_key (fingerprint) values ($1) on conflict do nothing", [fingerprint], ct);
        known = await db.Scalar<byte[]>("select fingerprint from sealing_key", [], ct);
        if (!fingerprint.AsSpan().SequenceEqual(known))
            throw Wrong($"The key file {options.KeyFile} is not the one that sealed the secrets in this database.",
                "All nodes of an installation share one key file; copy it from another node.");
        _key = key;
    }

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

    static BadInputException Wrong(string message, string hint) => new("Secrets:KeyFile", message, hint);

    /// <summary>Durable before anything is sealed with it: a lost key would lose every repository's password.</summary>
    void MakeKeyFile()
    {
        var key = RandomNumberGenerator.GetBytes(KeyBytes);
        var name = Encoding.UTF8.GetBytes(Path.GetFileName(options.KeyFile));
        byte[] temporary = [.. name, .. Encoding.ASCII.GetBytes($".{clock.GetUtcNow().Ticks:x}")];
        try
        {
            var parent = Path.GetDirectoryName(options.KeyFile)!;
            if (!Directory.Exists(parent)) Directory.CreateDirectory(parent,
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            using var folder = Descriptor.OpenFolder(FilePath.FromText(parent));
            const OpenFlags flags = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;
            using (var file = folder.OpenAt(temporary, flags, KeyFilePermissions))
            {
                file.WriteAt(0, key);
                file.Sync();
            }
            if (folder.TryRenameNew(temporary, name) != Errno.None) folder.TryRemove(temporary);   // another node on this machine was first
            folder.Sync();
        }
        catch (Exception e) when (e is PosixException or IOException or UnauthorizedAccessException)
        {
            throw Wrong($"The key file {options.KeyFile} cannot be made: {e.Message}", "Check the rights of its folder.");
        }
    }

    async Task<byte[]> ReadKeyFile(CancellationToken ct)
    {
        try
        {
            var mode = File.GetUnixFileMode(options.KeyFile);
            const UnixFileMode others = UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
            if ((mode & others) != 0) throw Wrong($"The key file {options.KeyFile} is open to other users.",
                $"Run: chmod 600 {options.KeyFile}");
            var key = await File.ReadAllBytesAsync(options.KeyFile, ct);
            return key.Length == KeyBytes ? key : throw Wrong($"The key file {options.KeyFile} has {key.Length} bytes.",
                $"It holds exactly {KeyBytes}.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Wrong($"The key file {options.KeyFile} cannot be read: {e.Message}", "Check its rights.");
        }
    }
}
