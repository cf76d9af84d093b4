using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Sources.MariaDb;

/// <summary>Kinds of moments that a server can be restored to.</summary>
public enum BinlogTargetKind
{
    /// <summary>As far as the log reaches.</summary>
    Latest,
    /// <summary>The base backup itself.</summary>
    EndOfBackup,
    /// <summary>A time of the server's clock.</summary>
    Time,
    /// <summary>A transaction.</summary>
    Gtid,
    /// <summary>A position in a file of the log.</summary>
    Position,
}

/// <summary>The moment that a server is to be restored to.</summary>
public sealed record BinlogTarget
{
    /// <summary>What kind.</summary>
    public BinlogTargetKind Kind { get; private init; }
    /// <summary>Set for Time: whole seconds, for the log knows no less. What was committed in that second or later is left out.</summary>
    public DateTimeOffset Time { get; private init; }
    /// <summary>Set for Gtid.</summary>
    public Gtid Gtid { get; private init; }
    /// <summary>Set for Position.</summary>
    public string File { get; private init; } = "";
    /// <summary>Set for Position: what ends behind it is left out.</summary>
    public long Position { get; private init; }
    /// <summary>Whether the transaction is part of it; of Gtid. Default true.</summary>
    public bool IsInclusive { get; init; } = true;

    /// <summary>As far as the log reaches.</summary>
    public static BinlogTarget Latest { get; } = new() { Kind = BinlogTargetKind.Latest };
    /// <summary>The base backup itself.</summary>
    public static BinlogTarget EndOfBackup { get; } = new() { Kind = BinlogTargetKind.EndOfBackup };
    /// <summary>A time; a part of a second is dropped, so that nothing later comes back.</summary>
    public static BinlogTarget At(DateTimeOffset time)
        => new() { Kind = BinlogTargetKind.Time, Time = DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds()) };
    /// <summary>A transaction.</summary>
    public static BinlogTarget Of(Gtid gtid) => new() { Kind = BinlogTargetKind.Gtid, Gtid = gtid };
    /// <summary>A position.</summary>
    public static BinlogTarget At(string file, long position)
        => new() { Kind = BinlogTargetKind.Position, File = file, Position = position };

    /// <summary>Reads a time with a zone: "2026-11-21 03:15:05+00", "2026-11-21T03:15:05Z".</summary>
    /// <exception cref="BadInputException">It is none, or has no zone.</exception>
    public static BinlogTarget ParseTime(string text, string option)
        => At(PostgreSql.RecoveryTarget.ParseTime(text, option).Time);

    /// <summary>Reads a transaction: "0-1-4711".</summary>
    /// <exception cref="BadInputException">It is none.</exception>
    public static BinlogTarget ParseGtid(string text, string option) => MariaDb.Gtid.TryParse(text, out var gtid) ? Of(gtid)
        : throw new BadInputException(option, $"{option}: '{text}' is no transaction.", "Write domain, server and number: 0-1-4711.");

    /// <summary>Reads a position: "bin.000017:4711".</summary>
    /// <exception cref="BadInputException">It is none.</exception>
    public static BinlogTarget ParsePosition(string text, string option) => text.Split(':') is [var file, var position]
        && BinlogFile.IsName(file) && long.TryParse(position, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        ? At(file, number) : throw new BadInputException(option, $"{option}: '{text}' is no position.",
            "Write FILE:POSITION: bin.000017:4711.");

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        BinlogTargetKind.Latest => "the end of the log",
        BinlogTargetKind.EndOfBackup => "the base backup",
        BinlogTargetKind.Time => $"{Time:yyyy-MM-dd HH:mm:ss} UTC",
        BinlogTargetKind.Gtid => (IsInclusive ? "transaction " : "before transaction ") + Gtid,
        BinlogTargetKind.Position => $"{File}:{Position}",
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
