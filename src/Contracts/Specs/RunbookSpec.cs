namespace BackupDr.Contracts.Specs;

/// <summary>How a group of items is brought back at another site: a graph of steps. Any edit makes a new version, which needs a
/// rehearsal.</summary>
/// <remarks>Times are lengths; a length of zero means none where a member says so.</remarks>
public sealed record RunbookSpec
{
    /// <summary>What it is for, in a sentence.</summary>
    public string? Description { get; init; }
    /// <summary>The site that is left or lost; empty for none in particular.</summary>
    public string From { get; init => field = value ?? ""; } = "";
    /// <summary>The site that takes over.</summary>
    public string To { get; init => field = value ?? ""; } = "";
    /// <summary>What it is measured against.</summary>
    public RunbookTargets Targets { get; init => field = value ?? new(); } = new();
    /// <summary>From one rehearsal by schedule to the next; default 30 days, zero for none.</summary>
    public TimeSpan RehearseEvery { get; init; } = TimeSpan.FromDays(30);
    /// <summary>How long somebody may look at the result before it counts, by mode.</summary>
    public CommitSpec Commit { get; init => field = value ?? new(); } = new();
    /// <summary>Steps at work at once, 1 to <see cref="MostAtOnce"/>; default 8.</summary>
    public int AtOnce { get; init; } = 8;
    /// <summary>The steps, 1 to <see cref="MostSteps"/>, in any order: <see cref="StepSpec.Needs"/> says what comes first.</summary>
    public IReadOnlyList<StepSpec> Steps { get; init => field = value ?? []; } = [];

    /// <summary>Limits.</summary>
    public const int MostSteps = 500, MostAtOnce = 100;
}

/// <summary>What the execution of a runbook is measured against.</summary>
public sealed record RunbookTargets
{
    /// <summary>From the start to the last critical step; null for no target.</summary>
    public TimeSpan? Rto { get; init; }
    /// <summary>Age of the newest data that is there afterwards; null for no target.</summary>
    public TimeSpan? Rpo { get; init; }
}

/// <summary>The time between the last step and the moment from which on the result counts.</summary>
public sealed record CommitSpec
{
    /// <summary>In planned mode and when failing back; zero for none.</summary>
    public TimeSpan Planned { get; init; }
    /// <summary>In a disaster; zero, the default, for none.</summary>
    public TimeSpan Disaster { get; init; }
    /// <summary>What happens when nobody said anything.</summary>
    public CommitSilence OnSilence { get; init; }
}

/// <summary>What happens when the time to commit ends and nobody said anything.</summary>
public enum CommitSilence
{
    /// <summary>The result counts.</summary>
    Commit,
    /// <summary>It is rolled back, unless the point of no return was passed: then it counts.</summary>
    RollBack,
}

/// <summary>Why a runbook is executed.</summary>
public enum ExecutionMode
{
    /// <summary>In isolation, and cleaned up afterwards.</summary>
    Rehearsal,
    /// <summary>Both sites are there; nothing is lost.</summary>
    Planned,
    /// <summary>The other site is gone, or must be taken for gone.</summary>
    Disaster,
    /// <summary>Back to where it came from.</summary>
    Failback,
}

/// <summary>What a step does.</summary>
public enum StepKind
{
    /// <summary>Brings a database back from a recovery point.</summary>
    RestoreDatabase,
    /// <summary>Brings files back from a recovery point.</summary>
    RestoreFiles,
    /// <summary>Makes a replica the primary.</summary>
    DbPromote,
    /// <summary>Makes the old primary a replica, or takes a new base backup.</summary>
    DbReprotect,
    /// <summary>Asks a database and compares the answer.</summary>
    DbAssert,
    /// <summary>Starts a service of a host.</summary>
    ServiceStart,
    /// <summary>Stops it.</summary>
    ServiceStop,
    /// <summary>Stops and starts it.</summary>
    ServiceRestart,
    /// <summary>Makes sure that the old side takes no writes.</summary>
    Fence,
    /// <summary>Runs a program from the allow-list of a host.</summary>
    Script,
    /// <summary>Calls an address and compares the answer.</summary>
    Http,
    /// <summary>Changes a record of a name server.</summary>
    DnsChange,
    /// <summary>Sends traffic elsewhere at a load balancer.</summary>
    LbSwitch,
    /// <summary>Waits until something answers as it should.</summary>
    HealthWait,
    /// <summary>Waits.</summary>
    Wait,
    /// <summary>Tells a channel.</summary>
    Notify,
    /// <summary>Asks people.</summary>
    Approval,
    /// <summary>Executes another runbook.</summary>
    Runbook,
}

/// <summary>What a rehearsal makes of a step.</summary>
public enum InRehearsal
{
    /// <summary>It is done, with the bindings of the rehearsal.</summary>
    Do,
    /// <summary>What it would do is looked at, and nothing is changed.</summary>
    Simulate,
    /// <summary>It is left out.</summary>
    Skip,
}

/// <summary>What the failure of a step leads to, after its last try.</summary>
public enum OnStepFailure
{
    /// <summary>No further step is begun.</summary>
    Stop,
    /// <summary>A person chooses.</summary>
    Pause,
    /// <summary>The others go on as if it had been done.</summary>
    Continue,
    /// <summary>An earlier step and what follows it is done again, at most <see cref="StepSpec.MostReturns"/> times.</summary>
    GoTo,
    /// <summary>What was done is undone. After the point of no return a person chooses.</summary>
    RollBack,
}

/// <summary>What a step means to the whole.</summary>
public enum StepImpact
{
    /// <summary>Without it the execution has not succeeded.</summary>
    Critical,
    /// <summary>Its failure is told, and the others go on.</summary>
    Optional,
}

/// <summary>A step of a runbook.</summary>
public sealed partial record StepSpec
{
    /// <summary>Names it in the runbook: a lower-case letter, then such letters, digits and hyphens; at most 40.</summary>
    public required string Name { get; init; }
    /// <summary>What it does, in words of its own; null for those of its kind.</summary>
    public string? Title { get; init; }
    /// <summary>What it does.</summary>
    public required StepKind Kind { get; init; }
    /// <summary>The group that people see it in; null for none.</summary>
    public string? Stage { get; init; }
    /// <summary>Steps that come before it.</summary>
    public IReadOnlyList<string> Needs { get; init => field = value ?? []; } = [];
    /// <summary>Modes in which it is done; none for all.</summary>
    public IReadOnlyList<ExecutionMode> Modes { get; init => field = value ?? []; } = [];
    /// <summary>What a rehearsal makes of it; null for what fits its kind.</summary>
    public InRehearsal? InRehearsal { get; init; }
    /// <summary>How long one try may take, 1 second to 7 days. There is no default: somebody is to have thought of it.</summary>
    public required TimeSpan Timeout { get; init; }
    /// <summary>Further tries after one that failed, 0 to 20; default none.</summary>
    public int Retries { get; init; }
    /// <summary>Time before the first of them, doubled before each further one; default 5 seconds.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(5);
    /// <summary>What follows the last failure; null for going on where it is optional, for stopping in a rehearsal, else for asking a
    /// person.</summary>
    public OnStepFailure? OnFailure { get; init; }
    /// <summary>The step that <see cref="OnStepFailure.GoTo"/> leads to: one that this one needs, directly or not.</summary>
    public string? GoTo { get; init; }
    /// <summary>What it means to the whole.</summary>
    public StepImpact Impact { get; init; }
    /// <summary>Whether nothing is rolled back by itself once it began.</summary>
    public bool IsPointOfNoReturn { get; init; }
    /// <summary>Whether it is done at the end, however the others ended.</summary>
    public bool IsAlways { get; init; }
    /// <summary>For <see cref="StepKind.Wait"/>: how long.</summary>
    public TimeSpan? For { get; init; }
    /// <summary>For <see cref="StepKind.Approval"/>: who.</summary>
    public ApprovalSpec? Approval { get; init; }

    /// <summary>How often an execution goes back by <see cref="OnStepFailure.GoTo"/>, in all.</summary>
    public const int MostReturns = 3;
    /// <summary>Most further tries.</summary>
    public const int MostRetries = 20;
    /// <summary>Longest time of one try, and of a wait.</summary>
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(7);
}

/// <summary>Whom an approval asks.</summary>
public sealed record ApprovalSpec
{
    /// <summary>What they are asked.</summary>
    public string? Asks { get; init; }
    /// <summary>How many must say yes, 1 to 10; default one. One who says no ends it.</summary>
    public int Of { get; init; } = 1;
    /// <summary>Whether a rehearsal asks too; by default it takes the yes for given.</summary>
    public bool InRehearsal { get; init; }
}
