using System.Globalization;
using System.Text;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Restic;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Repositories;

/// <summary>The kit as plain text, to be printed and to be copied from: what is indented by four blanks is for a shell.</summary>
static class RecoveryKitText
{
    const int LongestName = 200;
    const string Line = "----------------------------------------------------------------------------------------------------";

    /// <param name="now">When it is written.</param>
    /// <param name="author">Who asked for it.</param>
    /// <param name="node">The node that wrote it.</param>
    /// <param name="repositories">What there is to restore from.</param>
    /// <param name="control">What makes the control plane again.</param>
    public static string Of(DateTimeOffset now, string author, string node, IReadOnlyList<KitRepository> repositories,
        KitControlPlane control)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            BackupDr recovery kit
            written {now:yyyy-MM-dd HH:mm} UTC for {author}, by node {node}

            SECRET. Whoever has this page can read every backup that it names. Keep it where you would look for it when this
            installation is gone: printed in a safe, or in a password safe that is not backed up only here.

            Any machine with the program restic (0.14 or newer) restores from these repositories. Paste what is indented into
            a shell there. BackupDr's own program, backupdr, takes the same variables and commands.


            """);
        if (repositories.Count == 0) text.AppendLine("There is no repository yet.").AppendLine();
        for (var i = 0; i < repositories.Count; i++) Add(text, i + 1, repositories[i]);
        Add(text, control);
        return text.ToString().ReplaceLineEndings("\n");
    }

    static void Add(StringBuilder text, KitControlPlane control)
    {
        text.Append(CultureInfo.InvariantCulture, $"""
            {Line}
            The control plane itself

            Nothing of it is needed to restore as above. Its policies, hosts, recovery points and evidence are exported, so that
            it can be made again on an empty PostgreSQL:

            Installation  {control.Installation}
            Recovery key  {control.RecoveryKey}
            Signed by     {control.Signer}


            """);
        if (control.Places.Count == 0)
            text.AppendLine("It is exported to no place yet: add a location in an object store, or one that the nodes serve.").AppendLine();
        foreach (var place in control.Places)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"From {place.Name}, with this page in the file kit.txt:").AppendLine();
            foreach (var (name, value) in place.Variables ?? new Dictionary<string, string>())
                text.AppendLine(CultureInfo.InvariantCulture, $"    export {name}={ShellWord.Of(value)}");
            foreach (var line in place.AuthorityPem is null ? [] : OfAuthority(place.AuthorityPem))
                text.AppendLine(CultureInfo.InvariantCulture, $"    {line}");
            var options = string.Concat(place.Options.Select(option => $" -o {ShellWord.Of(option)}"));
            text.AppendLine(CultureInfo.InvariantCulture, $"    backupdr rebuild --kit kit.txt --from {ShellWord.Of(place.Address)}"
                + $"{(place.AuthorityPem is null ? "" : " --cacert authority.pem")}{options}").AppendLine();
        }
        text.Append(CultureInfo.InvariantCulture, $"""
            A copy of the old database (pg_dump, pg_restore) goes on as it was, with the key of the secrets in it, in the file
            that the setting Secrets:KeyFile names:

                printf %s {control.SealingKey} | base64 -d > secrets.key && chmod 600 secrets.key

            """);
    }

    static void Add(StringBuilder text, int number, KitRepository one)
    {
        text.Append(CultureInfo.InvariantCulture, $"""
            {Line}
            {number}. {one.Host}, in {one.Location}

            Lies at     {one.Url}{Where(one.Kind)}

            """);
        foreach (var place in one.Access.Replicas ?? []) text.AppendLine(CultureInfo.InvariantCulture, $"and at      {place.Url}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Id          {one.Access.ConfigId ?? "not known"}");
        foreach (var held in one.Contents)
            text.AppendLine(CultureInfo.InvariantCulture,
                $"Holds       {OneLine(held.Item)}, last taken {held.TakenAt:yyyy-MM-dd HH:mm} UTC as {Short(held.Snapshot)}");
        text.AppendLine();
        Commands(text, one.Url, one.Access.Password, one.Access.Options, one.Access.Variables, one.Kind,
            one.Access.AuthorityPem);
        foreach (var kind in one.Contents.Select(held => held.Kind).Distinct().Order()) Database(text, kind);
        foreach (var place in one.Access.Replicas ?? [])
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"The same from {place.Url}:").AppendLine();
            Commands(text, place.Url, one.Access.Password, place.Options, place.Variables, KindOf(place.Url),
                place.AuthorityPem);
        }
    }

    /// <summary>A folder of a database server is no database yet: what else it takes.</summary>
    static void Database(StringBuilder text, SourceKind kind)
    {
        var (what, needs, command) = kind switch
        {
            SourceKind.PostgreSql => ("A PostgreSQL cluster", "PostgreSQL of its version",
                "backupdr pg restore --target ./restored-cluster"),
            SourceKind.MariaDb => ("A MariaDB server", "MariaDB of its version and mariadb-backup",
                "backupdr mariadb restore --target ./restored-server"),
            SourceKind.Sqlite => ("A SQLite database", "nothing else", "backupdr sqlite restore --target ./restored.db"),
            _ => default,
        };
        if (what is null) return;
        text.Append(CultureInfo.InvariantCulture, $"""
            {what} comes back with what was logged since, by a command that needs {needs}:

                {command}

            The page "Restore without us" of the documentation says how restic alone does it.


            """);
    }

    static void Commands(StringBuilder text, string url, string password, IReadOnlyList<string>? options,
        IReadOnlyDictionary<string, string>? variables, LocationKind kind, string? authorityPem)
    {
        if (kind is LocationKind.S3 or LocationKind.Azure && variables is null)
            text.AppendLine("No credentials are kept here: each machine had its own. Set those of yours first.").AppendLine();
        foreach (var (name, value) in StockCommand.Variables(variables)) Shell($"export {name}={ShellWord.Of(value)}");
        Shell($"export RESTIC_PASSWORD={ShellWord.Of(password)}");
        Shell($"export RESTIC_REPOSITORY={ShellWord.Of(url)}");
        foreach (var line in authorityPem is null ? [] : OfAuthority(authorityPem)) Shell(line);
        var region = StockCommand.Region(options);
        var given = (authorityPem is null ? "" : " --cacert authority.pem")
            + (region is null ? "" : $" -o {ShellWord.Of(region)}");
        Shell($"restic snapshots{given}");
        Shell($"restic restore latest --target ./restored{given}");
        text.AppendLine();

        void Shell(string command) => text.Append("    ").AppendLine(command);
    }

    // Each line is a word of its own, so that no blank before it becomes part of the file.
    static IEnumerable<string> OfAuthority(string pem)
    {
        var lines = pem.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return ["printf '%s\\n' \\", .. lines.Select(line => $"  {ShellWord.Of(line)} \\"), "  > authority.pem"];
    }

    // What a snapshot of another program calls itself must not look like a command here.
    static string OneLine(string text)
    {
        var line = string.Concat(text.Select(letter => char.IsControl(letter) || letter is '\u2028' or '\u2029' ? '?' : letter));
        return line.Length > LongestName ? line[..LongestName] + "…" : line;
    }

    static LocationKind KindOf(string url) => url.StartsWith("s3:", StringComparison.Ordinal) ? LocationKind.S3
        : url.StartsWith("azure:", StringComparison.Ordinal) ? LocationKind.Azure : LocationKind.Folder;

    static string Where(LocationKind kind) => kind switch
    {
        LocationKind.Folder => "   (a folder on that host)",
        LocationKind.Gateway => "   (a folder on the machine of a node)",
        _ => "",
    };

    static string Short(string snapshot) => snapshot.Length > 8 ? snapshot[..8] : snapshot;
}
