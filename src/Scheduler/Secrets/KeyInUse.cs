namespace BackupDr.Scheduler.Secrets;

/// <summary>The key that seals while a transaction lasts.</summary>
public sealed class KeyInUse
{
    readonly byte[] _key;

    internal KeyInUse(byte[] key) => _key = key;

    /// <summary>Seals bytes for one column of one row, which the same transaction writes.</summary>
    public byte[] Seal(string table, string row, string column, ReadOnlySpan<byte> plain)
        => SealingKeys.Seal(_key, SealedSecrets.Place(table, row, column), plain);
}
