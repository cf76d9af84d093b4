using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Cli.Commands.MariaDb;

/// <summary>The options that say which MariaDB server is meant.</summary>
sealed class MariaDbServerArguments
{
    readonly Option<string?> _host = new("--mariadb-host")
    {
        Description = "Path of the server's socket, or its host. Else MYSQL_HOST, else /run/mysqld/mysqld.sock.",
    };
    readonly Option<string?> _port = new("--mariadb-port") { Description = "Its port. Else MYSQL_TCP_PORT, else 3306." };
    readonly Option<string?> _user = new("--mariadb-user") { Description = "User; backupdr by default." };
    readonly Option<string?> _password = new("--mariadb-password-file") { Description = "File with the user's password." };
    readonly Option<string?> _programs = MariaDbCommand.Programs();

    public MariaDbServerArguments(Command command)
    {
        command.Options.Add(_host);
        command.Options.Add(_port);
        command.Options.Add(_user);
        command.Options.Add(_password);
        command.Options.Add(_programs);
    }

    /// <exception cref="BadInputException">The port is none, or the password file cannot be read.</exception>
    public MariaDbAddress Address(ParseResult given)
    {
        var port = given.GetValue(_port) ?? Setting("MYSQL_TCP_PORT") ?? "3306";
        if (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is < 1 or > 65_535)
            throw new BadInputException("--mariadb-port", $"'{port}' is no port.", "Write a number from 1 to 65535.");
        return new MariaDbAddress
        {
            Host = given.GetValue(_host) ?? Setting("MYSQL_HOST") ?? new MariaDbAddress().Host,
            Port = number,
            User = given.GetValue(_user) ?? new MariaDbAddress().User,
            Password = given.GetValue(_password) is { } file ? RepositoryArguments.FromFile(file, "--mariadb-password-file") : null,
            Programs = given.GetValue(_programs) is { } folder ? Path.GetFullPath(folder) : null,
        };
    }

    static string? Setting(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}

/// <summary>The options that say to which moment a server is restored.</summary>
sealed class MariaDbTargetArguments
{
    readonly Option<string?> _time = new("--to-time")
    {
        Description = "To a time with a zone: '2026-11-21 03:15:05+00'. What was committed in that second or later is left out.",
    };
    readonly Option<string?> _gtid = new("--to-gtid") { Description = "To a transaction, with it: 0-1-4711." };
    readonly Option<bool> _exclusive = new("--exclusive") { Description = "Leave that transaction out." };
    readonly Option<string?> _position = new("--to-position") { Description = "To a position in the binary log: bin.000017:4711." };
    readonly Option<bool> _end = new("--to-backup-end") { Description = "To the base backup itself, without any log." };
    readonly Option<string?> _base = new("--base") { Description = "Beginning of the base backup's id; the best is chosen by default." };
    readonly Option<string?> _server = MariaDbCommand.Server();

    public MariaDbTargetArguments(Command command)
    {
        foreach (var option in (Option[])[_time, _gtid, _exclusive, _position, _end, _base, _server]) command.Options.Add(option);
    }

    public string? Base(ParseResult given) => given.GetValue(_base);
    public string? Server(ParseResult given) => given.GetValue(_server);

    /// <exception cref="BadInputException">There are several targets, or one cannot be read.</exception>
    public BinlogTarget Target(ParseResult given)
    {
        var targets = new List<BinlogTarget>();
        if (given.GetValue(_time) is { } time) targets.Add(BinlogTarget.ParseTime(time, "--to-time"));
        if (given.GetValue(_gtid) is { } gtid) targets.Add(BinlogTarget.ParseGtid(gtid, "--to-gtid"));
        if (given.GetValue(_position) is { } position) targets.Add(BinlogTarget.ParsePosition(position, "--to-position"));
        if (given.GetValue(_end)) targets.Add(BinlogTarget.EndOfBackup);
        if (targets.Count > 1)
            throw new BadInputException("--to-time", "Several moments to restore to were given.",
                "Give one of them, or none for the end of the log.");
        var target = targets.Count == 0 ? BinlogTarget.Latest : targets[0];
        if (given.GetValue(_exclusive) && target.Kind != BinlogTargetKind.Gtid)
            throw new BadInputException("--exclusive", "--exclusive goes with --to-gtid only.",
                "A time leaves out its own second in any case.");
        return target with { IsInclusive = !given.GetValue(_exclusive) };
    }
}
