using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Runbooks.Documents;
using BackupDr.Scheduler.Timing;

namespace BackupDr.Scheduler.Policies.Documents;

/// <summary>Makes policies, and runbooks among them, be as documents say, in one transaction. A dry run does the same and takes it back, so
/// that it cannot promise anything else.</summary>
public sealed class ApplyPolicies(Postgres db, CreatePolicy create, PolicyRuns runs, AlertBook alerts, IFiringEngine firing,
    ApplyRunbooks runbooks)
{
    /// <summary>Applies them.</summary>
    /// <exception cref="BadInputException">A document is wrong, or recovery points of a policy would go that is not named.</exception>
    public async Task<PoliciesApplied> Handle(Caller caller, ApplyPoliciesRequest request, CancellationToken ct)
    {
        caller.Must(Right.PolicyWrite);
        var applied = new List<AppliedPolicy>();
        await using var tx = await db.Begin(ct);
        var names = await WireNames.Read(tx, ct);
        var books = new List<(YamlMap Text, string File)>();
        var documents = PolicyDocuments.Read(request.Files, names, books);
        if (request.LosePoints.Except(documents.Select(given => given.Document.Name.Trim())).FirstOrDefault() is { } unknown)
            throw new BadInputException("losePoints", $"No document is that of a policy '{unknown}'.",
                "Write the name as the document does.");
        foreach (var given in documents)
        {
            try { applied.Add(await Apply(tx, caller, given, request, names, ct)); }
            catch (BadInputException e) { throw Placed(given, e); }
            catch (NotFoundException e) { throw Placed(given, e); }
        }
        if (request.Prune) applied.AddRange(await Prune(tx, caller, documents, ct));
        var appliedBooks = books.Count == 0 ? null : await runbooks.Apply(tx, caller, books, names, ct);
        if (request.DryRun) return new PoliciesApplied(true, applied, appliedBooks);
        var changed = await Changed(tx, applied, ct);
        await tx.Commit(ct);
        foreach (var policy in changed) await EditPolicy.Schedule(firing, policy, ct);
        foreach (var gone in applied.Where(one => one.Change == DocumentChange.Remove))
            await firing.Remove(PolicyFirings.Key(gone.Id), ct);
        if (appliedBooks is not null) await runbooks.Look(appliedBooks, ct);
        return new PoliciesApplied(false, applied, appliedBooks);
    }

    static async Task<List<Policy>> Changed(Transaction tx, IEnumerable<AppliedPolicy> applied, CancellationToken ct)
    {
        var changed = new List<Policy>();
        foreach (var one in applied.Where(one => one.Change is DocumentChange.Create or DocumentChange.Edit))
            changed.Add(await PolicyTable.Get(tx, one.Id, ct));
        return changed;
    }

    /// <summary>What a rule about the whole policy refuses has no line of its own: the document's is told.</summary>
    static BadInputException Placed(PolicyDocuments.Given given, BackupDrException e) => new((e as BadInputException)?.Field ?? "files",
        $"{given.File}:{given.Line}:1: '{given.Document.Name}': {e.Message}", e.Hint);

    async Task<AppliedPolicy> Apply(Transaction tx, Caller caller, PolicyDocuments.Given given, ApplyPoliciesRequest request,
        WireNames names, CancellationToken ct)
    {
        var document = given.Document;
        var name = PolicyTable.Name(document.Name);
        var id = await tx.First("select id from policy where name = $1 and removed_at is null for update", [name],
            row => (PolicyId?)row.Id<PolicyId>("id"), ct);
        if (id is not { } policy) return await Create(tx, caller, given, names, ct);
        var before = await PolicyTable.Get(tx, policy, ct);
        var location = await PolicyPlace.Of(tx, policy, ct);
        var items = await ApplyItems(tx, before, document, location, request.Prune, names, ct);
        var after = (name, document.Spec, document.Assign is { Rules.Count: 0 } ? null : document.Assign);
        IReadOnlyList<MemberChange> members = [.. PolicyDiff.Between((before.Name, before.Spec, before.Assign), after, names),
            .. items.Changes];
        if (members.Count == 0)
            return new AppliedPolicy { Name = name, Id = policy, Change = DocumentChange.None, File = given.File, Remarks = items.Remarks };
        var loss = await RetentionOutlook.Loss(tx, policy, document.Spec.Retention, ct);
        await EditPolicy.Change(tx, caller, new PolicyEdit
        {
            Id = policy,
            Name = name,
            Spec = document.Spec,
            Assign = document.Assign,
            Confirm = request.DryRun || request.LosePoints.Contains(name) ? name : null,
            Origin = PolicyOrigin.Document,
            Remark = items.Changes.Count == 0 ? null : string.Join("; ", items.Changes.Select(Words)),
        }, ct);
        return new AppliedPolicy
        {
            Name = name,
            Id = policy,
            Change = DocumentChange.Edit,
            File = given.File,
            Members = members,
            Loss = loss,
            Remarks = items.Remarks,
        };
    }

    static string Words(MemberChange change) => change switch
    {
        { From: null } => $"added {change.To}",
        { To: null } => $"retired {change.From}",
        _ => $"changed {change.Member}",
    };

    async Task<AppliedPolicy> Create(Transaction tx, Caller caller, PolicyDocuments.Given given, WireNames names, CancellationToken ct)
    {
        var document = given.Document;
        var made = await create.Make(tx, caller, new CreatePolicyRequest
        {
            Name = document.Name,
            Items = document.Items,
            Location = document.Location,
            Spec = document.Spec,
            Assign = document.Assign,
        }, PolicyOrigin.Document, ct);
        return new AppliedPolicy
        {
            Name = made.Name,
            Id = made.Id,
            Change = DocumentChange.Create,
            File = given.File,
            Members = [.. PolicyDiff.Between(null, WireYaml.Write(document, WireJson.Default.PolicyDocument, names), "")
                .Where(change => change.Member is not ("apiVersion" or "kind" or "name"))],
        };
    }

    /// <summary>Makes, changes and, where asked, retires items until they are those of the document.</summary>
    async Task<(IReadOnlyList<MemberChange> Changes, IReadOnlyList<string> Remarks)> ApplyItems(Transaction tx, Policy policy,
        PolicyDocument document, LocationId? location, bool prune, WireNames names, CancellationToken ct)
    {
        if (document.Location is { } wanted && location is { } actual && wanted != actual)
            throw new BadInputException("location", $"Its items are kept in {names.Name(typeof(LocationId), actual.ToString())}, and what "
                + "is kept does not move by a document.", "Add the other location to the repositories as a replica, or make another "
                    + "policy.");
        var (changes, remarks, fresh) = (new List<MemberChange>(), new List<string>(), new List<ItemId>());
        var left = policy.Items.Where(item => !item.IsByRule).ToList();
        foreach (var given in document.Items)
        {
            SourceRules.Check(given.Source);
            var match = left.Find(item => item.Host == given.Host && Text(item.Source) == Text(given.Source))
                ?? left.Find(item => item.Host == given.Host && item.Source.Kind == given.Source.Kind
                    && item.Source.Title == given.Source.Title);
            var title = $"{given.Source.Title} on {names.Name(typeof(HostId), given.Host.ToString())}";
            if (match is null)
            {
                // One that a rule made and a document names now becomes the document's.
                if (policy.Items.FirstOrDefault(item => item.IsByRule && item.Host == given.Host
                    && Text(item.Source) == Text(given.Source)) is { } byRule)
                    await tx.Execute("update item set by_rule = false where id = $1", [byRule.Id], ct);
                else fresh.Add(await create.AddItem(tx, policy.Id, given, document.Location ?? location, null, isByRule: false, ct));
                changes.Add(new MemberChange("items", null, title));
                continue;
            }
            left.Remove(match);
            if (Text(match.Source) == Text(given.Source)) continue;
            if (Weakening.Of(match.Source, given.Source) is { Count: > 0 } ways)
                await MustNotLose(tx, $"{title} {string.Join(", ", ways)}", ct);
            changes.AddRange(PolicyDiff.Between(Yaml(match.Source, names), Yaml(given.Source, names), $"items[{title}].source"));
            await CreatePolicy.ChangeSource(tx, match, given.Source, ct);
        }
        foreach (var item in left)
        {
            if (!prune) remarks.Add($"{item.Name} stays though its document does not name it; --prune retires it.");
            else
            {
                await MustNotLose(tx, $"{item.Name} is taken out of '{policy.Name}'", ct);
                await RetireItem.Retire(tx, item, alerts, ct);
                changes.Add(new MemberChange("items", $"{item.Source.Title} on {item.HostName}", null));
            }
        }
        await runs.StartAgain(tx, fresh, "document", ct);
        return (changes, remarks);
    }

    /// <summary>What takes two on a page takes two here, and a part of the files cannot wait for the second.</summary>
    static async Task MustNotLose(Transaction tx, string what, CancellationToken ct)
    {
        if (await FourEyes.IsOn(tx, ct))
            throw new ConflictException("approval.not_by_file", $"{what}: that needs a second person, for whom files do not wait.",
                "Retire this item on its page or over the API, then apply the files.");
    }

    static YamlValue Yaml(SourceSpec source, WireNames names) => WireYaml.Write(source, WireJson.Default.SourceSpec, names);

    static string Text(SourceSpec source) => System.Text.Json.JsonSerializer.Serialize(source, WireJson.Default.SourceSpec);

    /// <summary>Removes the policies that came from documents before and have none now. Those that people made by hand are
    /// theirs.</summary>
    async Task<List<AppliedPolicy>> Prune(Transaction tx, Caller caller, IReadOnlyList<PolicyDocuments.Given> documents,
        CancellationToken ct)
    {
        var named = documents.Select(given => given.Document.Name.Trim()).ToArray();
        var gone = await tx.Query("""
            select p.id, p.name from policy p where p.removed_at is null and not p.name = any($1)
                and exists (select from policy_version v where v.policy_id = p.id and v.origin = 'Document') order by p.name
            """, [named], row => new AppliedPolicy
        {
            Id = row.Id<PolicyId>("id"),
            Name = row.Text("name"),
            Change = DocumentChange.Remove,
        }, ct);
        if (gone.Count > 0 && await FourEyes.IsOn(tx, ct))
            throw new ConflictException("approval.not_by_file",
                $"No document is that of the policy {gone[0].Name}, and removing it needs a "
                + "second person, for whom files do not wait.", "Remove it on its page or over the API, then apply the files.");
        foreach (var policy in gone) await RemovePolicy.Remove(tx, caller, policy.Id, alerts, ct);
        return gone;
    }
}

/// <summary>Where the items of a policy are kept.</summary>
static class PolicyPlace
{
    /// <summary>The one location of all its items' repositories; null where there are several, or none that we made.</summary>
    public static async Task<LocationId?> Of(SqlSource db, PolicyId policy, CancellationToken ct)
        => await db.Query("""
            select distinct r.location_id from item i join repository r on r.id = i.repository_id
            where i.policy_id = $1 and i.retired_at is null and r.adopted_at is null and not i.by_rule
            """, [policy], row => row.Id<LocationId>("location_id"), ct) is [var only] ? only : null;
}

/// <summary>A policy as a document.</summary>
public sealed class ShowPolicyDocument(Postgres db)
{
    /// <summary>Shows it.</summary>
    public async Task<PolicyYaml> Handle(Caller caller, ShowPolicyDocumentRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyRead, request.Id, ct);
        var policy = await PolicyTable.Get(db, request.Id, ct);
        var document = PolicyDocuments.Of(policy, await PolicyPlace.Of(db, request.Id, ct));
        return new PolicyYaml(policy.Name, PolicyDocuments.Write(document, await WireNames.Read(db, ct)));
    }
}

/// <summary>A policy that is not saved, as a document: what a form would make.</summary>
public sealed class WritePolicyDocument(Postgres db)
{
    /// <summary>Writes it.</summary>
    public async Task<PolicyYaml> Handle(Caller caller, PolicyDocument document, CancellationToken ct)
    {
        caller.Must(Right.PolicyRead);
        return new PolicyYaml(document.Name, PolicyDocuments.Write(document, await WireNames.Read(db, ct)));
    }
}
