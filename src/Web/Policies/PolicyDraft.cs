using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;

namespace BackupDr.Web.Policies;

/// <summary>The policy form as it travels between browser and page: text, until it is read in one place.</summary>
public sealed partial class PolicyDraft
{
    public string? Id { get; set; }
    public string? Name { get; set; }
    public string? Host { get; set; }
    public List<string>? Paths { get; set; }
    public string? Typed { get; set; }
    public string? Browse { get; set; }

    /// <summary>A location, or the adopted repository that is continued.</summary>
    public string? Location { get; set; }
    public string? Excludes { get; set; }
    public bool ExcludeCaches { get; set; }
    public bool OneFileSystem { get; set; }
    public string? Snapshot { get; set; }

    /// <summary>The one path that is chosen is a database's file.</summary>
    public bool IsSqlite { get; set; }

    /// <summary>A PostgreSQL cluster is protected, not folders.</summary>
    public bool IsPostgreSql { get; set; }
    public string? PgFolder { get; set; }
    public string? PgHost { get; set; }
    public string? PgPort { get; set; }
    public string? PgUser { get; set; }
    public string? PgPasswordFile { get; set; }

    /// <summary>A MariaDB server is protected, not folders.</summary>
    public bool IsMariaDb { get; set; }
    public MariaDbDraft? MariaDb { get; set; }

    /// <summary>A database server is protected, not folders.</summary>
    public bool IsServer => IsPostgreSql || IsMariaDb;

    /// <summary>The server's log is received, so that any moment can be restored to.</summary>
    public bool ReceivesLog { get; set; }

    /// <summary>The one path that is chosen is a block device or a disk image.</summary>
    public bool IsVolume { get; set; }
    public string? Rpo { get; set; }
    public string? Rto { get; set; }
    public string? Every { get; set; }
    public string? Cron { get; set; }
    public string? TimeZone { get; set; }
    public string? Windows { get; set; }
    public string? Blackouts { get; set; }
    /// <summary>In minutes; empty for the policy's own.</summary>
    public string? Spread { get; set; }
    public bool SkipsMissed { get; set; }
    public string? KeepHourly { get; set; }
    public string? KeepDaily { get; set; }
    public string? KeepMonthly { get; set; }
    public string? KeepLast { get; set; }
    public string? KeepWeekly { get; set; }
    public string? KeepYearly { get; set; }
    public string? KeepWithin { get; set; }
    public string? TrashDays { get; set; }
    public bool NoAnomaly { get; set; }
    public string? ShrinkPercent { get; set; }
    public string? ChurnPercent { get; set; }

    /// <summary>The policy's name, typed where a change makes recovery points go.</summary>
    public string? Confirm { get; set; }
    public string? Floor { get; set; }
    public bool DrillAfterFirst { get; set; }
    public string? HookBefore { get; set; }
    public string? HookAfter { get; set; }
    public string? HookMinutes { get; set; }
    public bool HookWarns { get; set; }
    public string? ProofDays { get; set; }
    public string? DrillDays { get; set; }
    public string? DrillHost { get; set; }
    public string? DrillMinutes { get; set; }
    public string? Assertions { get; set; }
    public string? Script { get; set; }
    public string? ScriptMinutes { get; set; }
    public bool RunNow { get; set; }

    /// <summary>Which button was pressed: "save", "preview", "browse:PATH", "add:PATH", "remove:PATH", "typed", "host", "check".</summary>
    public string? Action { get; set; }

    /// <summary>A form with every default, or with what a policy has.</summary>
    public static PolicyDraft Of(PolicySpec spec, string? name = null) => new()
    {
        Name = name,
        Template = PolicyTemplate.Of(spec)?.Name,
        Rpo = Seconds(spec.Rpo),
        Rto = Seconds(spec.Rto),
        Every = Seconds(spec.Schedule.Every),
        Cron = spec.Schedule.Cron,
        TimeZone = spec.Schedule.TimeZone,
        Windows = string.Join('\n', spec.Schedule.Windows.Select(HoursText.Of)),
        Blackouts = string.Join('\n', spec.Schedule.Blackouts.Select(HoursText.Of)),
        Spread = spec.Schedule.Spread is { } spread ? Text((int)Math.Ceiling(spread.TotalMinutes)) : null,
        SkipsMissed = spec.Schedule.CatchUp == CatchUp.Skip,
        KeepHourly = Text(spec.Retention.KeepHourly),
        KeepDaily = Text(spec.Retention.KeepDaily),
        KeepMonthly = Text(spec.Retention.KeepMonthly),
        Floor = Text(spec.Retention.Floor),
        KeepLast = Text(spec.Retention.KeepLast),
        KeepWeekly = Text(spec.Retention.KeepWeekly),
        KeepYearly = Text(spec.Retention.KeepYearly),
        KeepWithin = spec.Retention.KeepWithin,
        TrashDays = Text((int)Math.Ceiling(spec.Retention.Trash.TotalDays)),
        NoAnomaly = spec.Retention.Anomaly is { IsOn: false },
        ShrinkPercent = Text((spec.Retention.Anomaly ?? new AnomalySpec()).ShrinkPercent),
        ChurnPercent = Text((spec.Retention.Anomaly ?? new AnomalySpec()).ChurnPercent),
        DrillAfterFirst = spec.Proof.DrillAfterFirst,
        ProofDays = Text((int)spec.Proof.MaximumAge.TotalDays),
        DrillDays = Text((int)spec.Proof.DrillInterval.TotalDays),
        DrillHost = string.Join(',', spec.Proof.DrillHosts),
        DrillMinutes = Text((int)Math.Ceiling((spec.Proof.DrillLimit ?? ProofSpec.DefaultDrillLimit).TotalMinutes)),
        Assertions = string.Join('\n', spec.Proof.Assertions),
        Script = spec.Proof.Script,
        ScriptMinutes = Text((int)Math.Ceiling((spec.Proof.ScriptLimit ?? ProofSpec.DefaultScriptLimit).TotalMinutes)),
        HookBefore = spec.Hooks?.Before,
        HookAfter = spec.Hooks?.After,
        HookMinutes = Text((int)Math.Ceiling((spec.Hooks ?? new HooksSpec()).Limit.TotalMinutes)),
        HookWarns = spec.Hooks is { BeforeFailure: HookFailure.Warn },
        ExcludeCaches = true,
        RunNow = true,
    };

    /// <summary>The same for what a page or an address names.</summary>
    /// <param name="source">"postgresql" and "mariadb" for a server whose log is received, "rule" for what a rule matches, anything else
    /// for
    /// folders.</param>
    /// <param name="template">What it begins with; null for Standard.</param>
    public static PolicyDraft OfKind(string? source, string? template = null)
    {
        var draft = Of(new PolicySpec());
        (draft.IsPostgreSql, draft.IsMariaDb, draft.IsRule) = (source == "postgresql", source == "mariadb", source == "rule");
        draft.ReceivesLog = draft.IsServer;
        if (draft.IsRule) draft.Rule = new RuleDraft();
        draft.Use(PolicyTemplate.Find(template) ?? PolicyTemplate.Standard);
        return draft;
    }

    /// <summary>The form for something that an agent found.</summary>
    /// <param name="path">Its place; null for none.</param>
    /// <param name="source">"postgresql", "mariadb", "sqlite" or "volume"; null for files.</param>
    public PolicyDraft For(string? path, string? source)
    {
        (IsSqlite, IsVolume) = (source == "sqlite", source == "volume");
        if (string.IsNullOrEmpty(path)) return this;
        if (IsPostgreSql) { PgFolder = path; return this; }
        if (IsMariaDb) { MariaDb = new MariaDbDraft { Folder = path }; return this; }
        Paths = [FilePath.Parse(path).ToString()];
        // Where it lies is shown beside it, so that it can be seen and more of it chosen.
        Browse = (IsSqlite || IsVolume) && System.IO.Path.GetDirectoryName(path) is { Length: > 0 } above ? above : path;
        return this;
    }

    /// <summary>Carries out the buttons that change only the form.</summary>
    public void Apply()
    {
        Paths ??= [];
        var (verb, text) = (Action ?? "").Split(':', 2) is [var v, var t] ? (v, t) : (Action ?? "", "");
        if (verb == "browse") Browse = text;
        else if (verb == "add") Add(text);
        else if (verb == "remove") Paths.Remove(text);
        else if (verb == "host") (Browse, Paths) = ("/", []);
        else if (verb == "template" && PolicyTemplate.Find(text) is { } template) Use(template);
        else if (verb is "typed" or "save" && !string.IsNullOrWhiteSpace(Typed))
        {
            Add(FilePath.FromText(Typed.Trim()).ToString());
            Typed = null;
        }
    }

    void Add(string path)
    {
        if (!Paths!.Contains(path)) Paths.Add(path);
    }

    /// <summary>What the form says.</summary>
    /// <exception cref="BadInputException">A field cannot be read; the field is named.</exception>
    public PolicySpec Spec() => new()
    {
        Rpo = Time("rpo", Rpo),
        Rto = Time("rto", Rto),
        Schedule = new ScheduleSpec
        {
            Every = Time("every", Every),
            Cron = string.IsNullOrWhiteSpace(Cron) ? null : Cron.Trim(),
            TimeZone = string.IsNullOrWhiteSpace(TimeZone) ? "UTC" : TimeZone.Trim(),
            Windows = [.. Lines(Windows).Select(HoursText.Window)],
            Blackouts = [.. Lines(Blackouts).Select(HoursText.Blackout)],
            Spread = string.IsNullOrWhiteSpace(Spread) ? null : TimeSpan.FromMinutes(Number("spread", Spread.Trim())),
            CatchUp = SkipsMissed ? CatchUp.Skip : CatchUp.Once,
        },
        Retention = Retention(),
        Proof = new ProofSpec
        {
            DrillAfterFirst = DrillAfterFirst,
            MaximumAge = TimeSpan.FromDays(Number("proofDays", ProofDays)),
            DrillEvery = Number("drillEvery", DrillDays) is var days && days == Number("proofDays", ProofDays) * 6 / 7 ? null
                : TimeSpan.FromDays(days),
            Assertions = (Assertions ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
            Script = string.IsNullOrWhiteSpace(Script) ? null : Script.Trim(),
            ScriptLimit = string.IsNullOrWhiteSpace(Script) ? null : TimeSpan.FromMinutes(Number("scriptLimit", ScriptMinutes)),
            DrillLimit = Minutes("drillLimit", DrillMinutes, ProofSpec.DefaultDrillLimit),
            DrillHosts = [.. (DrillHost ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(HostId.Parse)],
        },
        Hooks = string.IsNullOrWhiteSpace(HookBefore) && string.IsNullOrWhiteSpace(HookAfter) ? null : new HooksSpec
        {
            Before = string.IsNullOrWhiteSpace(HookBefore) ? null : HookBefore.Trim(),
            After = string.IsNullOrWhiteSpace(HookAfter) ? null : HookAfter.Trim(),
            BeforeFailure = HookWarns ? HookFailure.Warn : HookFailure.FailRun,
            Limit = TimeSpan.FromMinutes(Number("hookLimit", HookMinutes)),
        },
    };

    static string[] Lines(string? text)
        => (text ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    RetentionSpec Retention()
    {
        // A form that does not show them, as one of a script, leaves the defaults.
        var anomaly = new AnomalySpec();
        var given = new AnomalySpec
        {
            IsOn = !NoAnomaly,
            ShrinkPercent = Number("anomaly", ShrinkPercent ?? Text(anomaly.ShrinkPercent)),
            ChurnPercent = Number("anomaly", ChurnPercent ?? Text(anomaly.ChurnPercent)),
        };
        return new RetentionSpec
        {
            KeepLast = Number("keepLast", KeepLast ?? "0"),
            KeepHourly = Number("keepHourly", KeepHourly),
            KeepDaily = Number("keepDaily", KeepDaily),
            KeepWeekly = Number("keepWeekly", KeepWeekly ?? "0"),
            KeepMonthly = Number("keepMonthly", KeepMonthly),
            KeepYearly = Number("keepYearly", KeepYearly ?? "0"),
            KeepWithin = string.IsNullOrWhiteSpace(KeepWithin) ? null : KeepWithin.Trim(),
            Floor = Number("floor", Floor),
            Trash = TimeSpan.FromDays(Number("trash", TrashDays ?? "7")),
            Anomaly = given == anomaly ? null : given,
        };
    }

    /// <summary>The request that the form makes.</summary>
    /// <exception cref="BadInputException">A field is missing or cannot be read.</exception>
    public CreatePolicyRequest Request()
    {
        if (IsRule) return ByRule();
        if (string.IsNullOrEmpty(Host)) throw new BadInputException("host", "No host is chosen.",
            "Choose the machine whose folder is to be protected.");
        if (!IsServer && Paths is not { Count: > 0 }) throw new BadInputException("paths", "No folder is chosen.",
            "Press Protect beside a folder, or write its path.");
        RepositoryId? repository = TypedId.TryParse<RepositoryId>(Location ?? "", out var adopted) ? adopted : null;
        return new CreatePolicyRequest
        {
            Id = PolicyId.Parse(Id ?? ""),
            Name = string.IsNullOrWhiteSpace(Name) ? null : Name.Trim(),
            Items = [new NewItem(HostId.Parse(Host), Source())],
            Location = string.IsNullOrEmpty(Location) || repository is not null ? null : LocationId.Parse(Location),
            Repository = repository,
            Spec = Spec(),
            Assign = Rule?.Spec(null),
            RunNow = RunNow,
        };
    }

    /// <summary>What is protected.</summary>
    /// <exception cref="BadInputException">A field cannot be read.</exception>
    public SourceSpec Source() => IsPostgreSql ? Cluster() : IsMariaDb ? Server() : IsSqlite ? Database() : IsVolume ? Volume() : Folders();

    SourceSpec Cluster() => new()
    {
        Kind = SourceKind.PostgreSql,
        PostgreSql = new PostgreSqlSpec
        {
            DataFolder = PathOf(PgFolder),
            Host = string.IsNullOrWhiteSpace(PgHost) ? null : PgHost.Trim(),
            Port = string.IsNullOrWhiteSpace(PgPort) ? null : Number("pgPort", PgPort.Trim()),
            User = string.IsNullOrWhiteSpace(PgUser) ? "backupdr" : PgUser.Trim(),
            PasswordFile = PathOf(PgPasswordFile),
            Log = ReceivesLog ? new LogSpec() : null,
        },
    };

    SourceSpec Server() => new()
    {
        Kind = SourceKind.MariaDb,
        MariaDb = (MariaDb ?? new MariaDbDraft()).Spec() with { Log = ReceivesLog ? new LogSpec() : null },
    };

    internal static FilePath? PathOf(string? text) => string.IsNullOrWhiteSpace(text) ? null : FilePath.FromText(text.Trim());

    SourceSpec Folders() => new()
    {
        Kind = SourceKind.Files,
        Files = new FilesSpec
        {
            Paths = [.. Paths!.Select(FilePath.Parse)],
            Excludes = [.. (Excludes ?? "").Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)],
            ExcludeCaches = ExcludeCaches,
            OneFileSystem = OneFileSystem,
            Snapshot = Enum.TryParse<SnapshotUse>(Snapshot, out var use) && use != SnapshotUse.None ? use : null,
        },
    };

    SourceSpec Database() => new()
    {
        Kind = SourceKind.Sqlite,
        Sqlite = new SqliteSpec { Path = OnlyPath("a database is one file", "database") },
    };

    SourceSpec Volume() => new()
    {
        Kind = SourceKind.Volume,
        Volume = new VolumeSpec { Path = OnlyPath("a disk is one device or one file", "disk") },
    };

    FilePath OnlyPath(string why, string each) => Paths is [var only] ? FilePath.Parse(only)
        : throw new BadInputException("paths", $"{Paths!.Count} paths are chosen, and {why}.", $"Make a policy for each {each}.");

    /// <summary>Null for what goes without saying, also where a form of a script leaves it out.</summary>
    static TimeSpan? Minutes(string field, string? text, TimeSpan usual)
        => string.IsNullOrWhiteSpace(text) || TimeSpan.FromMinutes(Number(field, text)) is var time && time == usual ? null : time;

    static TimeSpan Time(string field, string? text) => TimeSpan.FromSeconds(Number(field, text));

    internal static int Number(string field, string? text)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : throw new BadInputException(field, $"'{text}' is not a whole number.", "Write digits only.");

    static string Seconds(TimeSpan time) => Text((int)time.TotalSeconds);
    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
