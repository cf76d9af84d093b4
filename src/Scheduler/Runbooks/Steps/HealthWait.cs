using System.Globalization;
using System.Net.Sockets;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts.Channels;
using Npgsql;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>Waits until something answers as it should, for as long as it should. Changes nothing.</summary>
public sealed class HealthWait(IStepSecrets secrets, TimeProvider clock) : IStepExecutor
{
    static readonly TimeSpan LookLimit = TimeSpan.FromSeconds(5), Margin = TimeSpan.FromMilliseconds(200);
    /// <summary>A timer of so many milliseconds may fire within the last one of them.</summary>
    static readonly TimeSpan TimerSlack = TimeSpan.FromMilliseconds(20);
    readonly HttpCaller _caller = new(secrets);

    sealed record Look(bool IsGood, string Text);

    /// <inheritdoc/>
    public StepKind Kind => StepKind.HealthWait;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
    {
        var problems = new List<RunbookProblem>();
        if (StepChecks.Problem(work.Step) is not null) return problems;   // told on saving, or variables are missing still
        var at = $"steps.{work.Step.Name}.health";
        foreach (var target in new[] { work.Step.Health!, work.Step.Health!.Rehearsal }.OfType<HealthTarget>())
        {
            await StepChecks.Secret(secrets, target.Http?.BearerSecret, $"{at}.http.bearerSecret", problems, ct);
            await StepChecks.Secret(secrets, target.Sql?.ConnectionSecret, $"{at}.sql.connectionSecret", problems, ct);
        }
        return problems;
    }

    /// <inheritdoc/>
    public async Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
    {
        if (StepChecks.Problem(work.Step) is { } problem) return problem;
        if (work.Activity is StepActivity.Compensate or StepActivity.CleanUp) return StepResult.Done("Nothing was changed.");
        var health = work.Step.Health!;
        var target = work.Mode == ExecutionMode.Rehearsal ? health.Rehearsal ?? health : health;
        if (work.Activity != StepActivity.Simulate) return await Wait(target, health, work, ct);
        var look = await Once(target, LookLimit, ct);
        return StepResult.Done($"Looked at once: {look.Text}", new Dictionary<string, string> { ["ok"] = look.IsGood ? "yes" : "no" });
    }

    async Task<StepResult> Wait(HealthTarget target, HealthSpec health, StepWork work, CancellationToken ct)
    {
        var (looks, last) = (0, new Look(false, "It was not asked: there was no time."));
        DateTimeOffset? first = null, since = null;
        while (true)
        {
            var left = work.Until - work.Now(clock) - Margin;
            if (left <= TimeSpan.Zero) break;
            var (began, limit) = (clock.GetTimestamp(), left < LookLimit ? left : LookLimit);
            var look = await Once(target, limit, ct);
            if (looks > 0 && !look.IsGood && limit < LookLimit && clock.GetElapsedTime(began) >= limit - TimerSlack)
            {
                // It says nothing of the target, and the one before it does.
                last = last with { Text = $"{last.Text} (The time ended in the next look.)" };
                break;
            }
            last = look;
            looks++;
            var now = work.Now(clock);
            since = last.IsGood ? since ?? now : null;
            first ??= since;
            if (since is { } from && now - from >= health.For)
                return StepResult.Done($"{last.Text}{(health.For > TimeSpan.Zero ? $" So it did for {health.For:c}." : "")}", Outputs());
            var pause = since is { } good && good + health.For - now < health.Every ? good + health.For - now : health.Every;
            if (now + pause >= work.Until - Margin) break;
            await Task.Delay(pause, clock, ct);
        }
        return StepResult.Failed(since is null ? $"Not well in time, after {looks} looks. {last.Text}"
            : $"It answered well since {since:u}, which is not {health.For:c} yet. {last.Text}", Outputs());

        Dictionary<string, string> Outputs()
        {
            var outputs = new Dictionary<string, string> { ["attempts"] = looks.ToString(CultureInfo.InvariantCulture) };
            if (first is { } at) outputs["firstOkAt"] = at.ToString("O", CultureInfo.InvariantCulture);
            if (since is { } from) outputs["okSince"] = from.ToString("O", CultureInfo.InvariantCulture);
            return outputs;
        }
    }

    Task<Look> Once(HealthTarget target, TimeSpan limit, CancellationToken ct) => target switch
    {
        { Http: { } http } => Http(http, limit, ct),
        { Tcp: { } tcp } => Tcp(tcp, limit, ct),
        _ => Sql(target.Sql!, limit, ct),
    };

    async Task<Look> Http(HttpCallSpec call, TimeSpan limit, CancellationToken ct)
    {
        var answer = await _caller.Call(call, key: null, limit, ct);
        return new Look(answer.Outcome == ActivityOutcome.Succeeded, answer.Text);
    }

    static async Task<Look> Tcp(string address, TimeSpan limit, CancellationToken ct)
    {
        var (host, port) = KindProblems.Endpoint(address, 0)!.Value;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(limit);
        try
        {
            await using var stream = await Egress.Connect(host, port, late.Token);
            return new Look(true, $"{address} takes connections.");
        }
        catch (IOException e) { return new Look(false, e.Message); }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new Look(false, $"{address} did not answer within {limit.TotalSeconds:0.#} seconds.");
        }
    }

    async Task<Look> Sql(SqlProbe probe, TimeSpan limit, CancellationToken ct)
    {
        if (await secrets.Find(probe.ConnectionSecret, ct) is not { } text)
            return new Look(false, $"There is no stored secret '{probe.ConnectionSecret}'.");
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(limit);
        var where = "The database";
        try
        {
            var settings = new NpgsqlConnectionStringBuilder(text.Reveal()) { Pooling = false, Multiplexing = false };
            where = $"{settings.Host}:{settings.Port}/{settings.Database}";
            await using var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync(late.Token);
            await using var tx = await connection.BeginTransactionAsync(late.Token);
            await using (var only = new NpgsqlCommand("set transaction read only", connection, tx))
                await only.ExecuteNonQueryAsync(late.Token);
            await using var command = new NpgsqlCommand(probe.Query, connection, tx);
            var said = Convert.ToString(await command.ExecuteScalarAsync(late.Token), CultureInfo.InvariantCulture) ?? "";
            return probe.Gives is null || probe.Gives == said ? new Look(true, $"{where} answers.")
                : new Look(false, $"{where} says '{said}' and not '{probe.Gives}'.");
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or TimeoutException)
        {
            return new Look(false, $"{where}: {(e.InnerException ?? e).Message}");
        }
        // What the exception says may hold a part of the secret.
        catch (ArgumentException) { return new Look(false, $"The stored secret '{probe.ConnectionSecret}' is no connection string."); }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new Look(false, $"{where} did not answer within {limit.TotalSeconds:0.#} seconds.");
        }
    }
}
