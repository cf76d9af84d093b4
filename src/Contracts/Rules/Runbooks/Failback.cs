using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>Makes the way back of a runbook: the old side becomes a standby first, then what writes is stopped, the server of now is
/// stopped in order, the old one promoted once it has everything, and all is switched back. Pure; what it gives is edited like any other.
/// </summary>
public sealed class Failback
{
    static readonly TimeSpan ForCopies = TimeSpan.FromHours(6), ForPeople = TimeSpan.FromDays(1), ForStopping = TimeSpan.FromMinutes(10);
    const int LongestName = 40;

    readonly RunbookSpec _there;
    readonly Dictionary<string, FailbackHost> _hosts;
    readonly List<StepSpec> _steps = [];
    readonly List<RunbookProblem> _problems = [];
    readonly HashSet<(string Host, string Unit)> _started = [];
    IReadOnlyList<string> _before = [];

    Failback(RunbookSpec there, IReadOnlyList<FailbackHost> hosts)
        => (_there, _hosts) = (there, hosts.GroupBy(host => host.At).ToDictionary(same => same.Key, same => same.Last()));

    /// <summary>Makes it.</summary>
    /// <param name="there">The runbook that went there.</param>
    /// <param name="hosts">Which host goes back to which.</param>
    /// <param name="problems">What has to be said besides; empty where it can be executed.</param>
    public static RunbookSpec Of(RunbookSpec there, IReadOnlyList<FailbackHost> hosts, out IReadOnlyList<RunbookProblem> problems)
    {
        var back = new Failback(there, hosts);
        var spec = back.Make();
        problems = back._problems;
        return spec;
    }

    RunbookSpec Make()
    {
        var order = new RunbookGraph(_there).Order.Select(place => _there.Steps[place]).ToList();
        var promoted = order.Where(step => step.Promote is not null).ToList();
        Stage("protect", promoted.Select(Protect).Concat(order.Where(step => step.Restore is not null).Select(step => ByHand("bring", step,
            $"What '{step.Name}' restored was changed there since. Bring that to {Site(_there.From)} by hand."))));
        Stage("ask", [New("go-back", StepKind.Approval, ForPeople) with
        { Approval = new ApprovalSpec { Asks = $"The old side follows. Is it to serve again, from {Site(_there.From)}?" } }]);
        InTurn("quiet", order.AsEnumerable().Reverse().Select(Quiet));
        Stage("stop", promoted.Select(Stop));
        Stage("promote", promoted.Select(Promote));
        Stage("look", order.Where(step => step.Assert is not null).Select(step => Again(step) is { Assert: { } assert } again
            ? again with { Assert = assert with { Host = Back(step, assert.Host), Cluster = Own(assert) } } : Again(step)));
        InTurn("start", order.Select(Begin));
        InTurn("switch", order.Select(Switch));
        Stage("healthy", order.Where(step => step.Health is not null).Select(Again));
        Stage("tell", order.Where(step => step.Notify is not null).Select(step => Again(step) is { Notify: { } notify } again
            ? again with { Notify = notify with { Subject = $"Back: {notify.Subject}" } } : Again(step)));
        Stage("again", promoted.Select(ProtectAgain));
        return _there with
        {
            Description = $"The way back from {Site(_there.To)}. {_there.Description}".TrimEnd(),
            From = _there.To,
            To = _there.From,
            Steps = _steps,
        };
    }

    static string Site(string name) => name.Length > 0 ? name : "the site of before";

    static StepSpec New(string name, StepKind kind, TimeSpan timeout) => new() { Name = name, Kind = kind, Timeout = timeout };

    static string NameOf(string verb, StepSpec step)
    {
        var name = $"{verb}-{step.Name}";
        return name.Length <= LongestName ? name : name[..LongestName];
    }

    /// <summary>Steps that are done together, once all of the stage before are.</summary>
    void Stage(string stage, IEnumerable<StepSpec?> steps)
    {
        var added = steps.OfType<StepSpec>().Select(step => step with { Stage = stage, Needs = _before }).ToList();
        if (added.Count == 0) return;
        _steps.AddRange(added);
        _before = [.. added.Select(step => step.Name)];
    }

    /// <summary>Steps that are done one after the other.</summary>
    void InTurn(string stage, IEnumerable<StepSpec?> steps)
    {
        foreach (var step in steps.OfType<StepSpec>()) Stage(stage, [step]);
    }

    static StepSpec ByHand(string verb, StepSpec step, string asks)
        => New(NameOf(verb, step), StepKind.Approval, ForPeople) with { Approval = new ApprovalSpec { Asks = asks } };

    /// <summary>The same step on the way back, whatever it was done for there; by hand where it is about what another one found out.
    /// </summary>
    StepSpec Again(StepSpec step) => StepVariables.Has(step)
        ? ByHand("back", step, $"Do what '{step.Name}' does, for {Site(_there.From)}: it names what another step found out.")
        : step with { Name = NameOf("back", step), Modes = [], GoTo = null, OnFailure = null, IsAlways = false };

    string Back(StepSpec step, string host)
    {
        if (_hosts.TryGetValue(host, out var known)) return known.To;
        Say(step, host, "hosts", $"It does not say which host takes over from '{host}'.", $"Name it: {host} goes back to which?");
        return host;
    }

    void Say(StepSpec step, string host, string member, string problem, string advice)
    {
        var place = $"{member}.{host}";
        if (_problems.All(one => one.Place != place)) _problems.Add(new(place, $"{problem} (step '{step.Name}')", advice));
    }

    PostgreSqlSpec Own(DatabaseStepSpec database)
        => (_hosts.GetValueOrDefault(database.Host)?.Cluster ?? database.Cluster) with
        { User = database.Cluster.User, Database = database.Cluster.Database, PasswordFile = database.Cluster.PasswordFile };

    StepSpec Protect(StepSpec step)
    {
        var promote = step.Promote!;
        var from = _hosts.GetValueOrDefault(promote.Host)?.From;
        if (from is null) Say(step, promote.Host, "from", "It does not say how the old side reaches the server of now.",
            "Address, port and role of the server that is to be followed.");
        return New(NameOf("protect", step), StepKind.DbReprotect, ForCopies) with
        {
            Reprotect = new ReprotectStepSpec { Host = Back(step, promote.Host), Cluster = Own(promote), From = from ?? new() },
        };
    }

    StepSpec Stop(StepSpec step) => _hosts.GetValueOrDefault(step.Promote!.Host)?.Unit is { } unit
        ? New(NameOf("stop", step), StepKind.Fence, ForStopping) with
        { Service = new ServiceStepSpec { Host = step.Promote.Host, Unit = unit } }
        : ByHand("stop", step, $"Stop the database server on {step.Promote.Host} in order (pg_ctl stop -m fast, or its service), so that "
            + "its standby has everything.");

    StepSpec Promote(StepSpec step) => Again(step) with
    {
        Kind = StepKind.DbPromote,
        Promote = new DatabaseStepSpec
        {
            Host = Back(step, step.Promote!.Host),
            Cluster = Own(step.Promote),
            IsLossless = true,
            Instead = step.Promote.Instead is null ? null
                : new OldPrimarySpec { Host = step.Promote.Host, Cluster = step.Promote.Cluster },
        },
    };

    StepSpec? ProtectAgain(StepSpec step) => _hosts.GetValueOrDefault(step.Promote!.Host)?.Back is not { } back ? null
        : New(NameOf("again", step), StepKind.DbReprotect, ForCopies) with
        {
            Impact = StepImpact.Optional,
            Reprotect = new ReprotectStepSpec { Host = step.Promote.Host, Cluster = step.Promote.Cluster, From = back },
        };

    /// <summary>Stops at the site of now what the runbook started there.</summary>
    StepSpec? Quiet(StepSpec step) => step switch
    {
        { Kind: StepKind.ServiceStart, Service: { } service } => New(NameOf("quiet", step), StepKind.ServiceStop, step.Timeout) with
        { Service = service },
        { Kind: StepKind.Script, Script: { Undo: { } undo } script } => New(NameOf("quiet", step), StepKind.Script, step.Timeout) with
        { Script = script with { Run = undo, Undo = script.Run, CleanUp = null } },
        { Kind: StepKind.Script, Script: { } script } => ByHand("quiet", step,
            $"Undo on {script.Host} what '{script.Run.Name}' did there: the runbook says no program for it."),
        _ => null,
    };

    /// <summary>Starts at the site of before what was stopped there, and what the runbook started at the other one.</summary>
    StepSpec? Begin(StepSpec step) => step switch
    {
        { Kind: StepKind.ServiceStop, Service: { } service } => Started(step, service),
        { Kind: StepKind.ServiceStart, Service: { } service } => Started(step, service with { Host = Back(step, service.Host) }),
        { Kind: StepKind.Script, Script: { } script } => New(NameOf("start", step), StepKind.Script, step.Timeout) with
        { Script = script with { Host = Back(step, script.Host) } },
        _ => null,
    };

    StepSpec? Started(StepSpec step, ServiceStepSpec service) => !_started.Add((service.Host, service.Unit)) ? null
        : New(NameOf("start", step), StepKind.ServiceStart, step.Timeout) with { Service = service };

    StepSpec? Switch(StepSpec step) => step switch
    {
        { Kind: StepKind.DnsChange or StepKind.LbSwitch or StepKind.Http } when StepVariables.Has(step) => Again(step),
        { Dns: { From.Count: > 0 } dns } => Again(step) with { Dns = dns with { From = dns.To, To = dns.From } },
        { Dns: { } dns } => ByHand("back", step, $"Let {dns.Record} say what it said before: the runbook does not tell."),
        { Lb: { } lb } when lb.Servers.All(server => server is { State: not null, Weight: null }) => Again(step) with
        {
            Lb = lb with
            {
                // What is put in comes first, in the order of before.
                Servers = [.. lb.Servers.Select(Opposite).OrderBy(server => server.State != LbState.Ready)],
            },
        },
        { Lb: { } lb } => ByHand("back", step, $"Put the weights at {lb.Address} back to what they were."),
        { Http: { Undo: { } undo } http } => Again(step) with
        {
            Http = new HttpSpec
            {
                Method = undo.Method,
                Url = undo.Url,
                Headers = undo.Headers,
                Body = undo.Body,
                BearerSecret = undo.BearerSecret,
                Expect = undo.Expect,
                AuthorityPem = undo.AuthorityPem,
                Undo = http with { Undo = null, Rehearsal = null },
            },
        },
        { Http: { Method: not ("GET" or "HEAD") } http } => ByHand("back", step,
            $"Undo {http.Method} {new Uri(http.Url).GetLeftPart(UriPartial.Path)}: the runbook says no call for it."),
        _ => null,
    };

    static LbServer Opposite(LbServer server) => server with { State = server.State == LbState.Ready ? LbState.Maint : LbState.Ready };
}
