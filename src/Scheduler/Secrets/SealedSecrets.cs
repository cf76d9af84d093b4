using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Secrets;

/// <summary>Seals what the database keeps secret, under a key that is not in the database, bound to table, row and column.</summary>
public sealed class SealedSecrets(SecretsOptions options, Postgres db, TimeProvider clock)
{
    // Exchanged as a whole: whoever seals or opens sees one moment of it.
    volatile SealingKeys? _keys;
    byte[] _stored = [];   // what the key file holds

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
        var keys = await file.Read(ct);
        _stored = [.. keys.SelectMany(key => key)];
        await db.Execute("insert into sealing_key (fingerprint) values ($1) on conflict do nothing",
            [SealingKeys.Fingerprint(keys[0])], ct);
        known = await db.Scalar<byte[]>("select fingerprint from sealing_key", [], ct);
        _keys = new SealingKeys(Find(keys, known!) ?? throw Strange());
        await Refresh(ct);
    }

    /// <summary>Learns that an exchange of the key began, went on or ended, whoever did it, and keeps the key file accordingly. Called by
    /// the node's beat.</summary>
    /// <exception cref="BadInputException">The key file cannot be written, or is another installation's by now.</exception>
    public async Task Refresh(CancellationToken ct)
    {
        var state = await db.First("select fingerprint, next_sealed, seals_at is not null as seals from sealing_key", [], row => new
        {
            Fingerprint = row.Bytes("fingerprint"),
            Next = row.BytesOrNull("next_sealed"),
            Seals = row.Bool("seals"),
        }, ct) ?? throw new InvalidOperationException("The fingerprint of the sealing key is gone.");
        var file = new KeyFile(options.KeyFile, clock);
        var present = Find([Keys.Present, Keys.Newest], state.Fingerprint)
            ?? Find(await file.Read(ct), state.Fingerprint) ?? throw Strange();   // another node may share the file
        var next = state.Next is null ? null : SealingKeys.Open(present, NextPlace, state.Next) ?? throw Unopened("sealing_key", "next");
        var keys = new SealingKeys(present, next);
        // Durable here before this node says that it has it: nothing is sealed with a key that a node could lose.
        if (!_stored.AsSpan().SequenceEqual(keys.Bytes)) file.Replace(keys.Bytes);
        _stored = keys.Bytes;
        _keys = keys with { SealsWithNext = state.Seals };
    }

    /// <summary>Fingerprint of the newest key that this node has, durably.</summary>
    internal byte[] Opens => SealingKeys.Fingerprint(Keys.Newest);

    /// <summary>Fingerprint of the key that this node seals with.</summary>
    internal byte[] Seals => SealingKeys.Fingerprint(Keys.Sealing);

    /// <summary>For another key than that of a node: the one of several that has this fingerprint.</summary>
    internal static SealedSecrets With(byte[] keys, byte[] fingerprint) => new(new SecretsOptions(), db: null!, TimeProvider.System)
    {
        _keys = new SealingKeys(Find([.. keys.Chunk(KeyFile.Bytes)], fingerprint)
            ?? throw new ConflictException("export.unopened", "The sealing key of this entry is not the one of its rows.",
                "Name an older entry, or another location.")),
    };

    /// <summary>Makes the next key and hands it to the other nodes, sealed with the present one. Gives false where an exchange is under
    /// way.</summary>
    internal async Task<bool> Begin(Transaction tx, CancellationToken ct)
    {
        var next = RandomNumberGenerator.GetBytes(KeyFile.Bytes);
        return await tx.Execute("""
            update sealing_key set next_sealed = $1, next_fingerprint = $2, next_at = clock() where next_sealed is null and fingerprint = $3
            """, [SealingKeys.Seal(Keys.Present, NextPlace, next), SealingKeys.Fingerprint(next),
            SealingKeys.Fingerprint(Keys.Present)], ct) == 1;
    }

    /// <summary>Seals a value anew; null where the next key opens it already. Says so where neither does.</summary>
    internal (byte[]? Box, bool IsLost) SealAnew(string table, string row, string column, byte[] box)
    {
        var (keys, place) = (Keys, Place(table, row, column));
        if (keys.Next is null || SealingKeys.Open(keys.Next, place, box) is not null) return (null, false);
        return SealingKeys.Open(keys.Present, place, box) is { } plain ? (SealingKeys.Seal(keys.Next, place, plain), false) : (null, true);
    }

    /// <summary>The key that is in use, and stays so until the transaction is over: an exchange takes no further step while somebody
    /// writes what the present key sealed.</summary>
    /// <remarks>Whoever sealed first and wrote later, held up in between, could write with a key that was given up meanwhile.</remarks>
    /// <exception cref="ConflictException">"secret.key_behind": this node's key file does not hold it.</exception>
    public async Task<KeyInUse> InUse(Transaction tx, CancellationToken ct)
    {
        var fingerprint = await tx.First($"select {UsedFingerprint} as used from sealing_key for share", [], row => row.Bytes("used"), ct);
        var key = Find([Keys.Present, Keys.Newest], fingerprint!);
        if (key is not null) return new KeyInUse(key);
        await Refresh(ct);   // the exchange went on since this node's last beat
        return new KeyInUse(Find([Keys.Present, Keys.Newest], fingerprint!) ?? throw Behind());
    }

    /// <summary>In SQL, of a row of sealing_key: which key seals now.</summary>
    internal const string UsedFingerprint = "case when seals_at is null then fingerprint else next_fingerprint end";

    /// <summary>The keys of which one is in use, each with its fingerprint, for who can only ask and write in one statement.</summary>
    internal IEnumerable<(byte[] Fingerprint, KeyInUse Key)> MayBeInUse()
        => new[] { Keys.Newest, Keys.Present }.Distinct().Select(key => (SealingKeys.Fingerprint(key), new KeyInUse(key)));

    /// <summary>Seals with what this node believes to be in use: for a database that nobody else writes, as while it is rebuilt.</summary>
    internal byte[] SealAlone(string table, string row, string column, ReadOnlySpan<byte> plain)
        => new KeyInUse(Keys.Sealing).Seal(table, row, column, plain);

    /// <summary>Opens what was sealed for exactly this column of this row.</summary>
    /// <exception cref="ConflictException">It does not open: it was changed, or moved from another place.</exception>
    public byte[] Open(string table, string row, string column, ReadOnlySpan<byte> box)
        => Keys.Open(Place(table, row, column), box) ?? throw Unopened(table, column);

    /// <summary>The key itself, base64, and the next one after it while they are exchanged: for the places outside that keep it.</summary>
    internal string KeyText() => Convert.ToBase64String(Keys.Bytes);

    /// <summary>The key file does not hold the key that is in use by now.</summary>
    internal ConflictException Behind() => new("secret.key_behind", $"The key file {options.KeyFile} does not hold the key that is in use.",
        "Restart this node; if that does not help, copy the key file of another node.");

    SealingKeys Keys => _keys ?? throw new InvalidOperationException("The sealing key was not loaded.");

    static byte[]? Find(IEnumerable<byte[]> keys, byte[] fingerprint)
        => keys.FirstOrDefault(key => SealingKeys.Fingerprint(key).AsSpan().SequenceEqual(fingerprint));

    static string NextPlace => Place("sealing_key", "1", "next");

    internal static string Place(string table, string row, string column) => $"{table}|{row}|{column}";

    BadInputException Strange() => KeyFile.Wrong(
        $"The key file {options.KeyFile} is not the one that sealed the secrets in this database.",
        "All nodes of an installation share one key file; copy it from another node.");

    static ConflictException Unopened(string table, string column) => new("secret.unopened",
        $"A sealed value of {table}.{column} does not open: it was changed or moved.", "Restore this row of the database from a backup.");
}
