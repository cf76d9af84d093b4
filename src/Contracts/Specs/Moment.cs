using System.Text.Json.Serialization;

namespace BackupDr.Contracts.Specs;

/// <summary>Kinds of moments that a database server can be restored to.</summary>
public enum MomentKind
{
    /// <summary>The end of a base backup: the earliest consistent moment.</summary>
    EndOfBackup,
    /// <summary>As far as the stored log reaches.</summary>
    Latest,
    /// <summary>A time of the server's clock. MariaDB's log knows whole seconds: what was committed in that second or later is left out.
    /// </summary>
    Time,
    /// <summary>A position in the log.</summary>
    Position,
    /// <summary>A restore point that pg_create_restore_point made; of PostgreSQL only.</summary>
    Name,
    /// <summary>The end of a transaction.</summary>
    Transaction,
    /// <summary>The end of a transaction of MariaDB.</summary>
    Gtid,
}

/// <summary>The moment that a database server is to be restored to: exactly the member that <see cref="Kind"/> names is set.</summary>
public sealed record Moment
{
    /// <summary>What kind.</summary>
    public required MomentKind Kind { get; init; }
    /// <summary>Set for Time.</summary>
    public DateTimeOffset? Time { get; init; }
    /// <summary>Set for Position, as the server writes it: "0/4140DE0"; of MariaDB FILE:POSITION, "bin.000017:4711".</summary>
    public string? Position { get; init; }
    /// <summary>Set for Name.</summary>
    public string? Name { get; init; }
    /// <summary>Set for Transaction: its number, above 0.</summary>
    public uint? Transaction { get; init; }
    /// <summary>Set for Gtid: "0-1-4711".</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Gtid { get; init; }
    /// <summary>Whether what happened exactly then is part of it; of Time, Position, Transaction and Gtid; MariaDB leaves
    /// out what happened at a Time in any case. Default true.</summary>
    public bool IsInclusive { get; init; } = true;
}
