using BackupDr.Contracts;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Policies;

/// <summary>What a source may be. Whether it is there, its agent finds out.</summary>
static class SourceRules
{
    const int LongestName = 63, LongestUser = 128;
    const long LeastSlotBytes = 64L << 20;

    /// <exception cref="BadInputException">It cannot be.</exception>
    public static void Check(SourceSpec source)
    {
        switch (source)
        {
            case { Kind: SourceKind.Volume, Volume: { } volume, Files: null, Sqlite: null, PostgreSql: null, MariaDb: null }:
                Check(volume.Path, "a device or an image", "For example /dev/disk/by-id/scsi-1 or /srv/vm/disk.img");
                break;
            case { Kind: SourceKind.Sqlite, Sqlite: { } database, Files: null, PostgreSql: null, Volume: null, MariaDb: null }:
                Check(database.Path, "a database's file", "For example /srv/app/data.db");
                if (database.Scratch is { } scratch) Check(scratch, "a folder", "For example /var/tmp");
                break;
            case { Kind: SourceKind.PostgreSql, PostgreSql: { } cluster, Files: null, Sqlite: null, Volume: null, MariaDb: null }:
                Check(cluster);
                break;
            case { Kind: SourceKind.MariaDb, MariaDb: { } server, Files: null, Sqlite: null, PostgreSql: null, Volume: null }:
                Check(server);
                break;
            case { Kind: SourceKind.Files, Files: { } files, Sqlite: null, PostgreSql: null, Volume: null, MariaDb: null }:
                if (files.Paths.Count == 0)
                    throw new BadInputException("path", "There is no folder to protect.", "For example /srv/data");
                foreach (var path in files.Paths) Check(path, "a folder", "For example /srv/data");
                break;
            default:
                throw new BadInputException("source", "This kind of source is unknown here, or it is not described.",
                    "Use files, a disk, an SQLite database, a PostgreSQL cluster, or a MariaDB server.");
        }
    }

    static void Check(PostgreSqlSpec cluster)
    {
        if (cluster.DataFolder is { } data) Check(data, "a data folder", "For example /var/lib/postgresql/15/main");
        if (cluster.PasswordFile is { } password) Check(password, "a file", "For example /etc/backupdr/postgres-password");
        if (cluster.Scratch is { } scratch) Check(scratch, "a folder", "For example /var/tmp");
        if (cluster.Host is { } host && (host.Length is 0 or > 255 || host.Any(one => char.IsWhiteSpace(one) || one is ',' or ';' or '=')))
            throw new BadInputException("pgHost", $"'{host}' is neither a socket's folder nor a host.",
                $"For example {PostgreSqlSpec.DefaultHost}");
        if (cluster.Port is < 1 or > 65_535)
            throw new BadInputException("pgPort", $"{cluster.Port} is no port.", "Write a number from 1 to 65535.");
        Check(cluster.Log);
        if (cluster.Log is { SlotLimitBytes: < LeastSlotBytes })
            throw new BadInputException("slotLimit", "A slot that may hold back less than 64 MiB would be over its limit all the time.",
                "For example 17179869184, which is 16 GiB.");
        if (cluster.User.Trim().Length is 0 or > LongestName)
            throw new BadInputException("pgUser", "The role has no name, or one that is too long.", "For example backupdr");
        if (cluster.Database.Trim().Length is 0 or > LongestName)
            throw new BadInputException("pgDatabase", "The database has no name, or one that is too long.", "For example postgres");
    }

    static void Check(MariaDbSpec server)
    {
        if (server.DataFolder is { } data) Check(data, "a data folder", "For example /var/lib/mysql");
        if (server.PasswordFile is { } password) Check(password, "a file", "For example /etc/backupdr/mariadb-password");
        if (server.OptionFile is { } options) Check(options, "a file", "For example /etc/mysql/debian.cnf");
        if (server is { PasswordFile: not null, OptionFile: not null })
            throw new BadInputException("optionFile", "Both a password file and an option file are named.", "The option file tells both.");
        if (server.Scratch is { } scratch) Check(scratch, "a folder", "For example /var/tmp");
        if (server.Host is { } host && (host.Length is 0 or > 255 || host.Any(one => char.IsWhiteSpace(one) || char.IsControl(one))))
            throw new BadInputException("myHost", $"'{host}' is neither a socket nor a host.", $"For example {MariaDbSpec.DefaultHost}");
        if (server.Port is < 1 or > 65_535)
            throw new BadInputException("myPort", $"{server.Port} is no port.", "Write a number from 1 to 65535.");
        Check(server.Log);
        if (server.User.Trim().Length is 0 or > LongestUser)
            throw new BadInputException("myUser", "The user has no name, or one that is too long.", "For example backupdr");
    }

    static void Check(LogSpec? log)
    {
        if (log is not null && (log.FlushEvery < TimeSpan.FromSeconds(1) || log.FlushEvery > TimeSpan.FromHours(1)))
            throw new BadInputException("flushEvery", $"{log.FlushEvery} is not between a second and an hour.", "For example 00:00:10");
    }

    static void Check(FilePath path, string what, string example)
    {
        if (!path.IsAbsolute || path.Parts().Any(part => part.Bytes.SequenceEqual(".."u8)))
            throw new BadInputException("path", $"'{path}' is no absolute path of {what}.", example);
    }
}
