using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access.Approvals;

/// <summary>Whether a second person is needed, and who could be one.</summary>
public sealed class ShowFourEyes(Postgres db)
{
    public async Task<FourEyesSetting> Handle(Caller caller, ShowFourEyesRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.ApprovalRead);
        return await Read(db, ct);
    }

    internal static async Task<FourEyesSetting> Read(SqlSource db, CancellationToken ct)
    {
        var people = await db.Query($"select name, {Grants.Columns} from person where disabled_at is null order by lower(name)", [],
            row => (Name: row.Text("name"), Grants: Grants.Read(row)), ct);
        var approvers = people.Where(one => FourEyes.IsApprover(one.Grants)).Select(one => one.Name).ToList();
        return (await db.First("select is_on, hours, changed_by, changed_at from four_eyes", [], row => new FourEyesSetting(
            row.Bool("is_on"), row.Int("hours"), approvers, row.TextOrNull("changed_by"), row.TimeOrNull("changed_at")), ct))!;
    }
}

/// <summary>Switches four eyes on, or, with a second person, off.</summary>
public sealed class SetFourEyes(Postgres db, FourEyes eyes)
{
    /// <summary>Longest time that a request waits, in hours.</summary>
    public const int MostHours = 72;

    const int Least = 2;

    /// <exception cref="ConflictException">There are not two persons who could decide.</exception>
    public async Task<FourEyesSetting> Handle(Caller caller, SetFourEyesRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        if (request.Hours is < 1 or > MostHours)
            throw new BadInputException("hours", $"{request.Hours} hours are no time for a request.", $"Write 1 to {MostHours}.");
        var now = await ShowFourEyes.Read(db, ct);
        if (request.IsOn && now.Approvers.Count < Least)
            throw new ConflictException("approval.too_few", $"Only {now.Approvers.Count} of the persons here could approve, and nobody "
                + "approves what they ask for themselves.", $"Give the role Approver to {Least - now.Approvers.Count} more, then "
                    + $"switch it on.");
        if (now.IsOn)
            await eyes.Pass(caller, new Command("four_eyes.set", "", request.IsOn
                ? $"Lets requests wait for {request.Hours} hours in place "
                + $"of {now.Hours}." : "Switches four eyes off: one person alone may remove and shorten everything.", $"{now.Hours}"),
                request, WireJson.Default.SetFourEyesRequest, ct);
        return await db.InTransaction(async tx =>
        {
            await tx.Execute("update four_eyes set is_on = $1, hours = $2, changed_by = $3, changed_at = clock()",
                [request.IsOn, request.Hours, caller.Name], ct);
            await Notifications.Changed(tx, "approvals", null, ct);
            var after = await ShowFourEyes.Read(tx, ct);
            await Audit.Add(tx, caller, "four_eyes.set", "", request.IsOn ? $"on, {request.Hours} h" : "off", ct);
            return after;
        }, ct);
    }
}
