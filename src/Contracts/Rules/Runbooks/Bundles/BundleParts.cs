using System.Text.Json.Serialization;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks.Bundles;

/// <summary>Whose bundle it is, and what it was made of: the first line of its file.</summary>
public sealed record BundleHead
{
    /// <summary>What <see cref="Format"/> says.</summary>
    public const string TheFormat = "backupdr-bundle-1";

    /// <summary>Version of the notation.</summary>
    public required string Format { get; init; }
    /// <summary>Names the bundle, 32 hex characters.</summary>
    public required string Id { get; init; }
    /// <summary>When it was made, by the database's clock.</summary>
    public required DateTimeOffset MadeAt { get; init; }
    /// <summary>Who made it.</summary>
    public required string MadeBy { get; init; }
    /// <summary>The installation.</summary>
    public required Guid Installation { get; init; }
    /// <summary>The installation's key, which signs the bundle: SubjectPublicKeyInfo in base64.</summary>
    public required string PublicKey { get; init; }
    /// <summary>SHA-256 of that key, 64 hex characters: what the console shows and the recovery kit names.</summary>
    public required string Fingerprint { get; init; }
    /// <summary>The bundle's own key, which signs what is done with it: SubjectPublicKeyInfo in base64.</summary>
    public required string Key { get; init; }
    /// <summary>The runbook.</summary>
    public required RunbookId Runbook { get; init; }
    /// <summary>Its name then.</summary>
    public required string Name { get; init; }
    /// <summary>The version.</summary>
    public required int Version { get; init; }
    /// <summary>SHA-256 of that version, 64 hex characters.</summary>
    public required string Hash { get; init; }
}

/// <summary>A host that a bundle's steps name.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Name">Its name then.</param>
public sealed record BundleHost(HostId Id, string Name);

/// <summary>The part that only a passphrase or the recovery key opens.</summary>
public sealed record BundleSeal
{
    /// <summary>Rounds of PBKDF2 with SHA-512 over the passphrase.</summary>
    public required int Rounds { get; init; }
    /// <summary>Its salt, base64.</summary>
    public required string Salt { get; init; }
    /// <summary>The key of <see cref="Box"/>, sealed under the passphrase, base64.</summary>
    public required string ByPassphrase { get; init; }
    /// <summary>The same key, sealed under the installation's recovery key, base64.</summary>
    public required string ByRecoveryKey { get; init; }
    /// <summary>A <see cref="BundleSecrets"/>, sealed, base64.</summary>
    public required string Box { get; init; }
}

/// <summary>What a bundle holds that nobody may read in clear.</summary>
public sealed record BundleSecrets
{
    /// <summary>The bundle's own key, PKCS #8 in base64.</summary>
    public required string Key { get; init; }
    /// <summary>Secrets that steps name, by their names.</summary>
    public IReadOnlyDictionary<string, string> Secrets { get; init => field = value ?? Nothing; } = Nothing;
    /// <summary>What the restores of its steps need.</summary>
    public IReadOnlyList<BundleRestore> Restores { get; init => field = value ?? []; } = [];
    /// <summary>Places where it is noted that somebody executes it.</summary>
    public IReadOnlyList<RepositoryPlace> Places { get; init => field = value ?? []; } = [];

    static readonly Dictionary<string, string> Nothing = [];

    /// <summary>Shows nothing of it.</summary>
    public override string ToString() => "***";
}

/// <summary>A restore of a step.</summary>
public sealed record BundleRestore
{
    /// <summary>The step.</summary>
    public required string Step { get; init; }
    /// <summary>The host that carries it out.</summary>
    public required BundleHost Host { get; init; }
    /// <summary>The item's name.</summary>
    public required string Item { get; init; }
    /// <summary>What is restored, from where and how; the target is what the copy is put beside.</summary>
    public required Job Job { get; init; }
    /// <summary>The recovery point that was the one when the bundle was made.</summary>
    public required RecoveryPointId Point { get; init; }
    /// <summary>When that was taken.</summary>
    public required DateTimeOffset TakenAt { get; init; }

    /// <summary>Shows no password and no credentials.</summary>
    public override string ToString() => $"{Step}: {Item}";
}

/// <summary>What shows that a key is a bundle's of this installation: the first line of that bundle and its signed end.</summary>
/// <param name="Head">The first line.</param>
/// <param name="End">What the last line signs.</param>
/// <param name="Signature">The installation's signature over the hash of <paramref name="End"/>, base64.</param>
public sealed record BundleCertificate(string Head, string End, string Signature);

/// <summary>How an execution from a bundle began.</summary>
public sealed record BundleBegin
{
    /// <summary>Hash of the first line of what is written down.</summary>
    public required string Head { get; init; }
    /// <summary>Why it is executed.</summary>
    public required ExecutionMode Mode { get; init; }
    /// <summary>When it began, by the machine's clock.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>Who began it, as was typed: nobody signed in.</summary>
    public required string By { get; init; }
    /// <summary>Why, in words.</summary>
    public required string Why { get; init; }
    /// <summary>The machine that it ran on, and which host of the installation that is; empty for none.</summary>
    public required string Machine { get; init; }
    /// <summary>What kept a second one from being executed beside it, in words.</summary>
    public required string Guard { get; init; }
    /// <summary>What was executed: a <see cref="RunbookSpec"/> in JSON.</summary>
    public required string Spec { get; init; }
}

/// <summary>What a step noted before it changed something.</summary>
/// <param name="Step">The step.</param>
/// <param name="Attempt">The attempt.</param>
/// <param name="Notes">What it noted.</param>
public sealed record BundleNote(string Step, int Attempt, IReadOnlyDictionary<string, string> Notes);

/// <summary>What a person answers while a bundle is executed.</summary>
public sealed record BundleAnswer
{
    /// <summary>What is wanted.</summary>
    public required ExecutionEventKind Kind { get; init; }
    /// <summary>The step; null where it is about all.</summary>
    public string? Step { get; init; }
    /// <summary>Why, or what was seen.</summary>
    public string? Text { get; init; }
    /// <summary>Who answers.</summary>
    public string? By { get; init; }
    /// <summary>The second person, where one is needed.</summary>
    public string? Second { get; init; }
    /// <summary>A report of another host, as `backupdr runbook step` printed it; null for none.</summary>
    public string? Report { get; init; }
}

/// <summary>What another host is to do, as the machine that executes the bundle prints it.</summary>
/// <param name="Host">The host.</param>
/// <param name="Name">Its name.</param>
/// <param name="Step">What it is to do.</param>
public sealed record BundleOrder(HostId Host, string Name, HostStep Step);

/// <summary>What came of it, as that host prints it.</summary>
/// <param name="Key">Names the activity.</param>
/// <param name="Host">The host's name.</param>
/// <param name="Report">A <see cref="HostStepReport"/> in JSON.</param>
/// <param name="Signature">The bundle's key's over the hash of the three, base64.</param>
public sealed record BundleReport(string Key, string Host, string Report, string Signature)
{
    /// <summary>What is signed.</summary>
    public string Hash => HashChain.Link(HashChain.Start, 1, new Dictionary<string, string>
    {
        ["key"] = Key,
        ["host"] = Host,
        ["report"] = Report,
    });
}

/// <summary>JSON of bundles: camelCase, enums as words, nulls left out.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = 32)]
[JsonSerializable(typeof(BundleHead))]
[JsonSerializable(typeof(IReadOnlyList<BundleHost>))]
[JsonSerializable(typeof(BundleSeal))]
[JsonSerializable(typeof(BundleSecrets))]
[JsonSerializable(typeof(BundleCertificate))]
[JsonSerializable(typeof(BundleBegin))]
[JsonSerializable(typeof(BundleNote))]
[JsonSerializable(typeof(BundleAnswer))]
[JsonSerializable(typeof(ExecutionEvent))]
[JsonSerializable(typeof(BundleOrder))]
[JsonSerializable(typeof(BundleReport))]
[JsonSerializable(typeof(HostStepReport))]
public sealed partial class BundleJson : JsonSerializerContext;
