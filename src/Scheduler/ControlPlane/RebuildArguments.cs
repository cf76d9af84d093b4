using System.Globalization;
using System.Text.RegularExpressions;
using BackupDr.Contracts;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>The command line of a rebuild.</summary>
public sealed partial record RebuildArguments
{
    /// <summary>What <c>--help</c> shows.</summary>
    public const string Help = """
        backupdr rebuild: makes a working control plane on an empty PostgreSQL from what was exported to a location.

        Usage: backupdr rebuild --from ADDRESS (--kit FILE | --recovery-key-file FILE) [--settings FILE]
          --from ADDRESS             the location's address: /folder, s3:https://host/bucket/prefix or azure:container:/prefix
          --kit FILE                 the recovery kit: the recovery key, the installation and the signing key are read from it
          --recovery-key-file FILE   a file with the recovery key alone; else the variable BACKUPDR_RECOVERY_KEY
          --signed-by FINGERPRINT    the signing key that the kit names, 64 hex letters; needed without a kit
          --installation ID          which one, where the location has several
          --entry TERM-NUMBER        an older entry instead of the newest
          --override NAME,NAME       two people say that the old control plane is off, where its places cannot be reached
          --list                     only lists the entries, newest first; needs no database
          -o, --option NAME=VALUE    option of the store, for example s3.region=eu-central-1
          --cacert FILE              PEM file with authorities to trust beside the system's
          --settings FILE            settings of the node: Database:ConnectionString and Secrets:KeyFile count here

        Credentials of the store are taken from the environment, as for every other command.
        """;

    /// <summary>Where the export is.</summary>
    public string From { get; init; } = "";
    /// <summary>Opens it.</summary>
    public string RecoveryKey { get; init; } = "";
    /// <summary>Who must have signed it.</summary>
    public string? SignedBy { get; init; }
    /// <summary>Whose it is; null for the only one there.</summary>
    public Guid? Installation { get; init; }
    /// <summary>Which entry; null for the newest.</summary>
    public (long Term, long Seq)? Entry { get; init; }
    /// <summary>Who says that the old control plane is off; null for nobody.</summary>
    public PersonPair? OverriddenBy { get; init; }
    /// <summary>Whether only to list.</summary>
    public bool IsList { get; init; }
    /// <summary>Whether only to explain.</summary>
    public bool IsHelp { get; init; }
    /// <summary>Options of the store.</summary>
    public IReadOnlyList<string> Options { get; init; } = [];
    /// <summary>Authorities to trust beside the system's.</summary>
    public string? CaCertificateFile { get; init; }
    /// <summary>Settings file, or null for the usual places.</summary>
    public string? SettingsFile { get; init; }

    [GeneratedRegex(@"^\s*Recovery key\s+(?<value>[0-9a-fA-F-]{64,80})\s*$", RegexOptions.Multiline)]
    private static partial Regex KeyLine { get; }

    [GeneratedRegex(@"^\s*Installation\s+(?<value>[0-9a-fA-F-]{32,36})\s*$", RegexOptions.Multiline)]
    private static partial Regex InstallationLine { get; }

    [GeneratedRegex(@"^\s*Signed by\s+(?<value>[0-9a-fA-F]{64})\s*$", RegexOptions.Multiline)]
    private static partial Regex SignerLine { get; }

    /// <exception cref="BadInputException">An argument is unknown, wrong, or lacks its value; or a needed one is missing.</exception>
    public static RebuildArguments Parse(IReadOnlyList<string> args, Func<string, string?> environment)
    {
        var parsed = new RebuildArguments { RecoveryKey = environment("BACKUPDR_RECOVERY_KEY") ?? "" };
        for (var at = 0; at < args.Count; at++)
        {
            var name = args[at];
            string Value() => at + 1 < args.Count ? args[++at] : throw new BadInputException(name, $"{name} needs a value.", Help);
            parsed = name switch
            {
                "--help" or "-h" => parsed with { IsHelp = true },
                "--list" => parsed with { IsList = true },
                "--from" => parsed with { From = Value() },
                "--kit" => parsed.WithKit(ReadFile(name, Value())),
                "--recovery-key-file" => parsed with { RecoveryKey = ReadFile(name, Value()) },
                "--signed-by" => parsed with { SignedBy = Value() },
                "--installation" => parsed with { Installation = Id(Value()) },
                "--entry" => parsed with { Entry = Number(Value()) },
                "--override" => parsed with { OverriddenBy = Two(Value()) },
                "--option" or "-o" => parsed with { Options = [.. parsed.Options, Value()] },
                "--cacert" => parsed with { CaCertificateFile = Value() },
                "--settings" => parsed with { SettingsFile = Value() },
                _ => throw new BadInputException(name, $"'{name}' is no argument of a rebuild.", Help),
            };
        }
        return parsed.IsHelp ? parsed : parsed.Checked();
    }

    RebuildArguments Checked()
    {
        if (From.Length == 0)
            throw new BadInputException("--from", "It is not said where the export is.", "Name the location with --from.");
        if (RecoveryKey.Length == 0)
            throw new BadInputException("--kit", "The recovery key is missing.",
                "Name the recovery kit with --kit, or a file with --recovery-key-file.");
        if (SignedBy is null)
            throw new BadInputException("--signed-by", "It is not said which key must have signed the export.",
                "Name the recovery kit with --kit, or copy the fingerprint from its line \"Signed by\" to --signed-by.");
        return this;
    }

    RebuildArguments WithKit(string kit)
    {
        var key = KeyLine.Match(kit);
        if (!key.Success)
            throw new BadInputException("--kit", "This file has no line \"Recovery key\".",
                "Kits that were written by an older version have none: then a copy of the database and its key are needed.");
        var signer = SignerLine.Match(kit);
        var installation = InstallationLine.Match(kit);
        return this with
        {
            RecoveryKey = key.Groups["value"].Value,
            SignedBy = SignedBy ?? (signer.Success ? signer.Groups["value"].Value : null),
            Installation = Installation ?? (installation.Success ? Id(installation.Groups["value"].Value) : null),
        };
    }

    static string ReadFile(string name, string file)
    {
        try { return File.ReadAllText(file); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException(name, $"{file} cannot be read: {e.Message}");
        }
    }

    static Guid Id(string text) => Guid.TryParse(text, out var id) ? id
        : throw new BadInputException("--installation", $"'{text}' is no id of an installation.", "It stands in the recovery kit.");

    static PersonPair Two(string text)
    {
        var names = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return names.Length == 2 && !string.Equals(names[0], names[1], StringComparison.OrdinalIgnoreCase)
            ? new PersonPair(names[0], names[1])
            : throw new BadInputException("--override", $"'{text}' names no two people.",
                "Give the names with which they sign in, separated by a comma.");
    }

    static (long, long) Number(string text)
    {
        var parts = text.Split('-');
        return parts.Length == 2 && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var term)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var seq) ? (term, seq)
            : throw new BadInputException("--entry", $"'{text}' names no entry.",
                "Write TERM-NUMBER as --list shows it, for example 1-214.");
    }
}
