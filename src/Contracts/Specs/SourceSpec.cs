using System.Text.Json.Serialization;

namespace BackupDr.Contracts.Specs;

/// <summary>What kind of source an item is.</summary>
public enum SourceKind
{
    /// <summary>Folders and files of a host.</summary>
    Files,
    /// <summary>One SQLite database, copied as of one moment while it is in use.</summary>
    Sqlite,
    /// <summary>One PostgreSQL cluster of the host, with all of its databases.</summary>
    PostgreSql,
    /// <summary>One block device or disk image.</summary>
    Volume,
    /// <summary>One MariaDB server of the host, with all of its databases.</summary>
    MariaDb,
}

/// <summary>What is taken from a host: exactly the member that <see cref="Kind"/> names is set.</summary>
public sealed record SourceSpec
{
    /// <summary>Which member is set.</summary>
    public SourceKind Kind { get; init; }
    /// <summary>Set where <see cref="Kind"/> is Files.</summary>
    public FilesSpec? Files { get; init; }
    /// <summary>Set where <see cref="Kind"/> is Sqlite.</summary>
    public SqliteSpec? Sqlite { get; init; }
    /// <summary>Set where <see cref="Kind"/> is PostgreSql.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public PostgreSqlSpec? PostgreSql { get; init; }
    /// <summary>Set where <see cref="Kind"/> is Volume.</summary>
    public VolumeSpec? Volume { get; init; }
    /// <summary>Set where <see cref="Kind"/> is MariaDb.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public MariaDbSpec? MariaDb { get; init; }

    /// <summary>How the log of its database server is received; null where none is.</summary>
    [JsonIgnore]
    public LogSpec? Log => PostgreSql?.Log ?? MariaDb?.Log;

    /// <summary>The first path, which a restore is put beside.</summary>
    /// <exception cref="BadInputException">It names nothing.</exception>
    [JsonIgnore]
    public FilePath FirstPath => Kind switch
    {
        SourceKind.Files when Files is { Paths: [var first, ..] } => first,
        SourceKind.Sqlite when Sqlite is { } database => database.Path,
        SourceKind.PostgreSql when PostgreSql is { } cluster => cluster.DataFolder ?? FilePath.FromText("/var/lib/postgresql/data"),
        SourceKind.Volume when Volume is { } volume => volume.Path,
        SourceKind.MariaDb when MariaDb is { } server => server.DataFolder ?? FilePath.FromText("/var/lib/mysql"),
        _ => throw new BadInputException("source", "The source names nothing to back up.", "Give a path."),
    };

    /// <summary>What a person would name it by.</summary>
    /// <exception cref="BadInputException">It names nothing.</exception>
    [JsonIgnore]
    public string Title => Kind switch
    {
        SourceKind.PostgreSql when PostgreSql is { } cluster => cluster.ToString(),
        SourceKind.MariaDb when MariaDb is { } server => server.ToString(),
        _ => FirstPath.ToString(),
    };
}

/// <summary>An SQLite database.</summary>
public sealed record SqliteSpec
{
    /// <summary>Absolute path of its file.</summary>
    public required FilePath Path { get; init; }
    /// <summary>Absolute path of the folder in which the copy is made that is then stored; null for /var/tmp.</summary>
    public FilePath? Scratch { get; init; }
}

/// <summary>A block device, or the file of a disk image.</summary>
public sealed record VolumeSpec
{
    /// <summary>Absolute path; a link to a device, as in /dev/disk/by-id, stays the same when devices change their order.</summary>
    public required FilePath Path { get; init; }
    /// <summary>Whether it is taken although it is written to meanwhile, which may make it useless.</summary>
    public bool InUse { get; init; }
}

/// <summary>A selection of folders and files.</summary>
public sealed record FilesSpec
{
    /// <summary>Absolute paths, at least one.</summary>
    public IReadOnlyList<FilePath> Paths { get; init; } = [];
    /// <summary>Patterns of what is left out, as in .gitignore.</summary>
    public IReadOnlyList<string> Excludes { get; init; } = [];
    /// <summary>Whether folders marked by a CACHEDIR.TAG are left out. Default true.</summary>
    public bool ExcludeCaches { get; init; } = true;
    /// <summary>Whether mount points below the paths are left out.</summary>
    public bool OneFileSystem { get; init; }
    /// <summary>Whether all files are taken as of one moment, from a snapshot of their file system; null for None.</summary>
    public SnapshotUse? Snapshot { get; init; }
}

/// <summary>Whether a backup of files freezes the file system that it reads.</summary>
public enum SnapshotUse
{
    /// <summary>No: files are read as they stand.</summary>
    None,
    /// <summary>Where it has snapshots; where it has none the result says so.</summary>
    WhenPossible,
    /// <summary>Yes: a run without ends as failed.</summary>
    Required,
}

/// <summary>What happens to files that exist already where a restore writes.</summary>
public enum OverwritePolicy
{
    /// <summary>They stay; each is listed as kept.</summary>
    Never,
    /// <summary>They are replaced where size or modification time differ.</summary>
    IfChanged,
    /// <summary>They are replaced; where their content is right already it is not written again.</summary>
    Always,
    /// <summary>They are replaced where the snapshot's modification time is later.</summary>
    IfNewer,
}
