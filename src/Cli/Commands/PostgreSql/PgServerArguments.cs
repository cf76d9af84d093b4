using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary>The options that say which PostgreSQL server is meant. What is missing is taken from libpq's variables.</summary>
sealed class PgServerArguments
{
    readonly Option<string?> _host = new("--pg-host")
    {
        Description = "Folder of the server's socket, or its host. Else PGHOST, else /var/run/postgresql.",
    };
    readonly Option<string?> _port = new("--pg-port") { Description = "Its port. Else PGPORT, else 5432." };
    readonly Option<string?> _user = new("--pg-user") { Description = "Role. Else PGUSER, else backupdr." };
    readonly Option<string?> _database = new("--pg-database") { Description = "Database to connect to. Else PGDATABASE, else postgres." };
    readonly Option<string?> _password = new("--pg-password-file") { Description = "File with the role's password. Else PGPASSWORD." };

    public PgServerArguments(Command command)
    {
        command.Options.Add(_host);
        command.Options.Add(_port);
        command.Options.Add(_user);
        command.Options.Add(_database);
        command.Options.Add(_password);
    }

    /// <exception cref="BadInputException">The port is none, or the password file cannot be read.</exception>
    public ServerAddress Address(ParseResult given)
    {
        var port = given.GetValue(_port) ?? Setting("PGPORT") ?? "5432";
        if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > 65_535)
            throw new BadInputException("--pg-port", $"'{port}' is no port.", "Write a number from 1 to 65535.");
        return new ServerAddress
        {
            Host = given.GetValue(_host) ?? Setting("PGHOST") ?? "/var/run/postgresql",
            Port = number,
            User = given.GetValue(_user) ?? Setting("PGUSER") ?? "backupdr",
            Database = given.GetValue(_database) ?? Setting("PGDATABASE") ?? "postgres",
            Password = given.GetValue(_password) is { } file ? RepositoryArguments.FromFile(file, "--pg-password-file")
                : Setting("PGPASSWORD") is { } text ? Secret.FromText(text) : null,
        };
    }

    static string? Setting(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}

/// <summary>The options that say to which moment a cluster is restored.</summary>
sealed class PgTargetArguments
{
    readonly Option<string?> _time = new("--to-time") { Description = "To a time with a zone: '2026-11-21 03:15:05+00'." };
    readonly Option<string?> _lsn = new("--to-lsn") { Description = "To a position in the log: 0/4140DE0." };
    readonly Option<string?> _name = new("--to-name") { Description = "To a restore point that pg_create_restore_point made." };
    readonly Option<string?> _xid = new("--to-xid") { Description = "To a transaction's end." };
    readonly Option<bool> _end = new("--to-backup-end") { Description = "To the end of the base backup, the earliest that it gives." };
    readonly Option<bool> _exclusive = new("--exclusive")
    {
        Description = "Leave out what happened at exactly that time, position or "
        + "transaction."
    };
    readonly Option<string?> _timeline = new("--timeline") { Description = "Follow this timeline; the newest by default." };
    readonly Option<string?> _base = new("--base") { Description = "Beginning of the base backup's id; the best is chosen by default." };
    readonly Option<string?> _cluster = new("--cluster")
    {
        Description = "System identifier of the cluster, where the repository holds several.",
    };

    public PgTargetArguments(Command command)
    {
        foreach (var option in (Option[])[_time, _lsn, _name, _xid, _end, _exclusive, _timeline, _base,
            _cluster]) command.Options.Add(option);
    }

    public string? Base(ParseResult given) => given.GetValue(_base);
    public string? Cluster(ParseResult given) => given.GetValue(_cluster);

    /// <exception cref="BadInputException">There are several targets, or one cannot be read.</exception>
    public RecoveryTarget Target(ParseResult given)
    {
        var targets = new List<RecoveryTarget>();
        if (given.GetValue(_time) is { } time) targets.Add(RecoveryTarget.ParseTime(time, "--to-time"));
        if (given.GetValue(_lsn) is { } lsn) targets.Add(RecoveryTarget.At(Lsn.Parse(lsn)));
        if (given.GetValue(_name) is { } name) targets.Add(RecoveryTarget.Named(name));
        if (given.GetValue(_xid) is { } xid) targets.Add(RecoveryTarget.Of(Number(xid, "--to-xid")));
        if (given.GetValue(_end)) targets.Add(RecoveryTarget.EndOfBackup);
        if (targets.Count > 1)
            throw new BadInputException("--to-time", "Several moments to restore to were given.",
                "Give one of them, or none for the end of the log.");
        return (targets.Count == 0 ? RecoveryTarget.Latest : targets[0]) with
        {
            IsInclusive = !given.GetValue(_exclusive),
            Timeline = given.GetValue(_timeline) is { } timeline ? Number(timeline, "--timeline") : null,
        };
    }

    static uint Number(string text, string option)
        => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number
            : throw new BadInputException(option, $"{option}: '{text}' is no number above 0.");
}
