using BackupDr.Contracts;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Sqlite;

/// <summary>Looks at database files without opening them as databases, and finds those that programs of this host have open.</summary>
public static class SqliteFile
{
    static ReadOnlySpan<byte> Magic => "SQLite format 3\0"u8;
    internal static readonly string[] Beside = ["-wal", "-shm", "-journal"];

    /// <summary>Whether a file begins as databases do.</summary>
    public static bool IsDatabase(string path)
    {
        try
        {
            using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly | OpenFlags.NonBlocking);
            Span<byte> head = stackalloc byte[16];
            return file.Stat().Kind == FileKind.File && file.FillAt(0, head) == head.Length && head.SequenceEqual(Magic);
        }
        catch (PosixException) { return false; }   // gone, or not for us
    }

    /// <summary>The databases that processes have open, in the order of their paths: of applications that run.</summary>
    public static IReadOnlyList<FoundDatabase> Find()
        => [.. OpenFiles.All().Where(IsDatabase)
            .Select(path => new FoundDatabase("sqlite", Path.GetFileName(path), path, "", "", 0, true))];

    /// <summary>What keeps a database from being backed up, or makes its backup worth less.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="scratch">Folder that the copy is made in.</param>
    public static IReadOnlyList<Finding> Preflight(string path, string scratch)
    {
        if (!path.StartsWith('/'))
            return [new("sqlite.path", $"'{path}' is no absolute path.", "Write it from the root: /srv/app/data.db.")];
        FileStatus status;
        try { status = Descriptor.StatOf(FilePath.FromText(path)); }
        catch (PosixException e)
        {
            return [new("sqlite.missing", $"{path}: {e.Message}", "Check the path and the rights of its folders.")];
        }
        if (status.Kind == FileKind.Symlink) return [new("sqlite.link", $"{path} is a link.", "Name the file that it leads to.")];
        if (status.Kind != FileKind.File) return [new("sqlite.no_file", $"{path} is no file.", "Name the database's file.")];
        if (!IsDatabase(path))
            return [new("sqlite.not_a_database", $"{path} is no SQLite database, it is encrypted, or it may not be read.",
                "An encrypted database is backed up by the program that holds its key.")];
        var findings = new List<Finding>();
        if (!Disk.Exists(scratch))
            findings.Add(new("sqlite.scratch", $"There is no folder {scratch}.", "Name another one with --scratch."));
        else if (new DriveInfo(scratch).AvailableFreeSpace is var free && free < status.SizeBytes)
            findings.Add(new("sqlite.space", $"{scratch} has {free} bytes free; the copy takes {status.SizeBytes}.",
                "Free space there, or name another folder with --scratch."));
        if (JournalMode(path) is not "wal")
            findings.Add(new("sqlite.journal_mode", "The database is not in WAL mode: its writers wait while it is copied.",
                "pragma journal_mode = wal;", FindingSeverity.Warning));
        return findings;
    }

    // Byte 18 of the header: 1 for the journal modes, 2 for WAL.
    static string JournalMode(string path)
    {
        using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly);
        Span<byte> version = stackalloc byte[1];
        return file.FillAt(18, version) == 1 && version[0] == 2 ? "wal" : "";
    }
}
