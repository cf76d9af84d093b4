using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>Which installation this is, and the key that opens its exports: made at the first start, sealed in the database, written into
/// each recovery kit.</summary>
public sealed class RecoveryKey(Postgres db, SealedSecrets secrets, TimeProvider clock)
{
    /// <summary>Length of the key.</summary>
    public const int Bytes = 32;
    const int LettersOfGroup = 8;
    const string Table = "control_plane", Row = "1", Column = "recovery_key";

    byte[]? _key;

    /// <summary>Names this installation, in every location.</summary>
    public Guid Installation { get; private set; }

    /// <summary>The key. Whoever has it reads the exports, which hold every other key.</summary>
    internal ReadOnlySpan<byte> Key => _key ?? throw new InvalidOperationException("The recovery key was not loaded.");

    /// <summary>Reads both, or makes them. Called once, after the sealing key is known.</summary>
    /// <exception cref="ConflictException">The sealed key does not open.</exception>
    public async Task Load(CancellationToken ct)
    {
        await db.InTransaction(async tx => await tx.Execute(
            "insert into control_plane (installation, recovery_key_sealed) values ($1, $2) on conflict do nothing",
            [Guid.CreateVersion7(clock.GetUtcNow()), (await secrets.InUse(tx, ct)).Seal(Table, Row, Column,
                RandomNumberGenerator.GetBytes(Bytes))], ct), ct);
        var found = await db.First("select installation, recovery_key_sealed from control_plane", [],
            row => (Installation: row.Guid("installation"), Box: row.Bytes("recovery_key_sealed")), ct);
        (Installation, _key) = (found.Installation, secrets.Open(Table, Row, Column, found.Box));
    }

    /// <summary>For the column recovery_key_sealed of a database that is being rebuilt.</summary>
    internal static byte[] Seal(SealedSecrets secrets, ReadOnlySpan<byte> key) => secrets.SealAlone(Table, Row, Column, key);

    /// <summary>As people copy it from paper: eight groups of eight hex letters.</summary>
    internal static string Text(ReadOnlySpan<byte> key)
        => string.Join('-', Convert.ToHexStringLower(key).Chunk(LettersOfGroup).Select(group => new string(group)));

    /// <summary>Reads it back; blanks and hyphens do not count.</summary>
    /// <exception cref="BadInputException">It is no recovery key.</exception>
    internal static byte[] Parse(string text)
    {
        var letters = string.Concat(text.Where(letter => letter != '-' && !char.IsWhiteSpace(letter)));
        if (letters.Length == Bytes * 2 && letters.All(char.IsAsciiHexDigit)) return Convert.FromHexString(letters);
        throw new BadInputException("recovery-key", $"This is no recovery key: it has {letters.Length} letters.",
            $"It stands in the recovery kit under \"The control plane itself\": {Bytes * 2} letters from 0 to 9 and a to f.");
    }
}
