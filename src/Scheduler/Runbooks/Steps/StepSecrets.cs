using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>Secrets that steps name: keys of name servers, tokens, connection strings.</summary>
public interface IStepSecrets
{
    /// <summary>One of them; null where there is none of this name.</summary>
    Task<Secret?> Find(string name, CancellationToken ct);
}

/// <summary>Secrets in the database, sealed.</summary>
public sealed class StepSecrets(Postgres db, SealedSecrets secrets) : IStepSecrets
{
    /// <summary>Longest secret in characters.</summary>
    public const int Longest = 8 * 1024;

    /// <inheritdoc/>
    public async Task<Secret?> Find(string name, CancellationToken ct)
        => await db.First("select value_sealed from step_secret where name = $1", [name], row => row.BytesOrNull("value_sealed"), ct)
            is { } box ? Secret.FromText(Encoding.UTF8.GetString(secrets.Open("step_secret", name, "value", box))) : null;

    internal async Task<byte[]> Seal(Transaction tx, string name, string value, CancellationToken ct)
        => (await secrets.InUse(tx, ct)).Seal("step_secret", name, "value", Encoding.UTF8.GetBytes(value));
}

/// <summary>The names of the secrets of steps.</summary>
public sealed class ListStepSecrets(Postgres db)
{
    /// <summary>Lists; what they say is told to nobody.</summary>
    public async Task<IReadOnlyList<StepSecret>> Handle(Caller caller, ListStepSecretsRequest request, CancellationToken ct)
    {
        caller.Must(Right.RunbookRead);
        return await db.Query("select name, changed_at from step_secret order by name", [],
            row => new StepSecret(row.Text("name"), row.Time("changed_at")), ct);
    }
}

/// <summary>Stores a secret of steps, in the place of the former one of its name.</summary>
public sealed class SaveStepSecret(Postgres db, StepSecrets secrets)
{
    /// <summary>Saves.</summary>
    /// <exception cref="BadInputException">Name or value are none.</exception>
    public async Task<StepSecret> Handle(Caller caller, SaveStepSecretRequest request, CancellationToken ct)
    {
        caller.Must(Right.SecretReveal);
        if (!KindProblems.IsSecretName(request.Name))
            throw new BadInputException("name", $"'{request.Name}' is no name of a secret.",
                "A lower-case letter, then such letters, digits and hyphens; at most 40.");
        if (request.Value is not { Length: > 0 and <= StepSecrets.Longest })
            throw new BadInputException("value", "There is no secret, or it is too long.", $"From 1 to {StepSecrets.Longest} characters.");
        return await db.InTransaction(async tx =>
        {
            await tx.Execute("""
                insert into step_secret (name, value_sealed) values ($1, $2)
                on conflict (name) do update set value_sealed = excluded.value_sealed, changed_at = clock()
                """, [request.Name, await secrets.Seal(tx, request.Name, request.Value, ct)], ct);
            await Audit.Add(tx, caller, "stepsecret.save", request.Name, "", ct);
            return new StepSecret(request.Name, await tx.Scalar<DateTimeOffset>("select changed_at from step_secret where name = $1",
                [request.Name], ct));
        }, ct);
    }
}

/// <summary>Forgets a secret of steps.</summary>
public sealed class RemoveStepSecret(Postgres db)
{
    /// <summary>Removes.</summary>
    /// <exception cref="NotFoundException">There is none of this name.</exception>
    public async Task Handle(Caller caller, RemoveStepSecretRequest request, CancellationToken ct)
    {
        caller.Must(Right.SecretReveal);
        await db.InTransaction(async tx =>
        {
            if (await tx.Execute("delete from step_secret where name = $1", [request.Name], ct) == 0)
                throw new NotFoundException("A secret of this name");
            await Audit.Add(tx, caller, "stepsecret.remove", request.Name, "", ct);
        }, ct);
    }
}
