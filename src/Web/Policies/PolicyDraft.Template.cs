using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;

namespace BackupDr.Web.Policies;

/// <summary>What the form begins with, and what it is a change of.</summary>
public sealed partial class PolicyDraft
{
    /// <summary>The template that was chosen last; null or empty for none.</summary>
    public string? Template { get; set; }

    /// <summary>The version of the policy that the form was filled from.</summary>
    public string? Version { get; set; }

    /// <summary>What a rule matches is protected, not something that is named here.</summary>
    public bool IsRule { get; set; }

    /// <summary>The first rule; null where the form does not show it.</summary>
    public RuleDraft? Rule { get; set; }

    /// <summary>The logs of all items of the policy that is edited are received.</summary>
    public bool TakesLog { get; set; }

    /// <summary>Whether the logs of all that is protected are received.</summary>
    public bool HasLog => TakesLog || IsServer && ReceivesLog
        || IsRule && Rule is { NoLog: false, Kinds: { Count: > 0 } kinds } && kinds.All(kind => kind is "PostgreSql" or "MariaDb");

    /// <summary>"Standard", "Standard, changed", or that it is none of them.</summary>
    public string TemplateWords
    {
        get
        {
            if (PolicyTemplate.Find(Template) is not { } chosen) return Matching() is { } same ? same.Name : "Your own figures";
            return Matching() == chosen ? chosen.Name : $"{chosen.Name}, changed";
        }
    }

    /// <summary>The template that the form is as it stands.</summary>
    public PolicyTemplate? Matching()
    {
        // Of a server with its log also the objective of files is a template's: it may be loosened on purpose.
        try { return PolicyTemplate.Of(Spec(), HasLog) ?? PolicyTemplate.Of(Spec()); }
        catch (BadInputException) { return null; }   // a field that cannot be read is told beside it, and is no template's
    }

    /// <summary>Fills in a template: objectives, schedule, retention, proof. What is the form's own stays.</summary>
    public void Use(PolicyTemplate template)
    {
        var filled = Of(template.Over(new PolicySpec(), HasLog));
        Template = template.Name;
        (Rpo, Rto, Every, Cron) = (filled.Rpo, filled.Rto, filled.Every, null);
        (KeepLast, KeepHourly, KeepDaily, KeepWeekly) = (filled.KeepLast, filled.KeepHourly, filled.KeepDaily, filled.KeepWeekly);
        (KeepMonthly, KeepYearly, KeepWithin) = (filled.KeepMonthly, filled.KeepYearly, null);
        (Floor, TrashDays) = (filled.Floor, filled.TrashDays);
        (DrillAfterFirst, ProofDays, DrillDays) = (filled.DrillAfterFirst, filled.ProofDays, filled.DrillDays);
    }

    CreatePolicyRequest ByRule() => new()
    {
        Id = PolicyId.Parse(Id ?? ""),
        Name = Name,
        Items = [],
        Spec = Spec(),
        Assign = Rule?.Spec(null) is { Rules.Count: > 0 } assign
            ? assign with { Location = string.IsNullOrEmpty(Location) ? null : LocationId.Parse(Location) }
            : throw new BadInputException("kinds", "The rule names no kind of source.", "Tick at least one."),
        RunNow = RunNow,
    };

    /// <summary>What the form would make, as a document; for a policy that is there with its items.</summary>
    /// <exception cref="BadInputException">A field cannot be read.</exception>
    public PolicyDocument Document(Policy? policy)
    {
        var name = string.IsNullOrWhiteSpace(Name) ? "(made from folder and host)" : Name.Trim();
        var document = new PolicyDocument
        {
            ApiVersion = PolicyDocument.TheVersion,
            Kind = PolicyDocument.TheKind,
            Name = name,
            Spec = Spec(),
        };
        if (policy is not null) return document with
        {
            Items = [.. policy.Items.Where(item => !item.IsByRule).Select(item => new NewItem(item.Host, item.Source))],
            Assign = Rule is null ? policy.Assign : Rule.Spec(policy.Assign) is { Rules.Count: > 0 } rules ? rules : null,
        };
        var request = Request();
        return document with { Items = request.Items, Location = IsRule ? null : request.Location, Assign = request.Assign };
    }
}
