using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using Npgsql;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>All channels.</summary>
public sealed class ListChannels(Postgres db)
{
    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<AlertChannel>> Handle(Caller caller, ListChannelsRequest request, CancellationToken ct)
    {
        caller.Must(Right.ChannelRead);
        return await ChannelTable.All(db, ct);
    }
}

/// <summary>One channel with its newest messages.</summary>
public sealed class ShowChannel(Postgres db)
{
    const int Newest = 50;

    /// <summary>Shows.</summary>
    public async Task<AlertChannel> Handle(Caller caller, ShowChannelRequest request, CancellationToken ct)
    {
        caller.Must(Right.ChannelRead);
        var messages = await db.Query("""
            select id, state, content->>'subject' as subject, events->-1->>'title' as title, created_at, due_at, attempts, answer
            from message where channel_id = $1 order by created_at desc, id desc limit $2
            """, [request.Id, Newest], row => new ChannelMessage
        {
            Id = row.Id<MessageId>("id"),
            State = row.Word<MessageState>("state"),
            Subject = row.TextOrNull("subject") ?? row.TextOrNull("title") ?? "",
            CreatedAt = row.Time("created_at"),
            DueAt = row.Word<MessageState>("state") == MessageState.Waiting ? row.Time("due_at") : null,
            Attempts = row.Int("attempts"),
            Answer = row.TextOrNull("answer"),
        }, ct);
        return await ChannelTable.Get(db, request.Id, ct) with { Messages = messages };
    }
}

/// <summary>Makes a channel, or changes one.</summary>
public sealed class SaveChannel(Postgres db, ChannelTable channels, TimeProvider clock)
{
    const int LongestName = 100, LongestSecret = 1000, SecretBytes = 32;

    /// <summary>Saves.</summary>
    /// <exception cref="BadInputException">Something is not right; the field is named.</exception>
    public async Task<AlertChannel> Handle(Caller caller, SaveChannelRequest request, CancellationToken ct)
    {
        caller.Must(Right.ChannelManage);
        var name = (request.Name ?? "").Trim();   // what is not in the JSON is null here, whatever its default says
        request = request with { Settings = request.Settings ?? new ChannelSettings() };
        if (name.Length is 0 or > LongestName)
            throw new BadInputException("name", $"A channel needs a name of 1 to {LongestName} characters.", "For example: On call.");
        if (request.Secret?.Length > LongestSecret)
            throw new BadInputException("secret", $"The secret is longer than {LongestSecret} characters.");
        var id = request.Id ?? ChannelId.New(clock);
        try
        {
            return await db.InTransaction(async tx => await Save(tx, caller, request with { Name = name }, id, ct), ct);
        }
        catch (PostgresException e) when (e is { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "channel_name" })
        {
            throw new BadInputException("name", $"There is a channel called '{name}' already.", "Choose another name.");
        }
    }

    async Task<AlertChannel> Save(Transaction tx, Caller caller, SaveChannelRequest request, ChannelId id, CancellationToken ct)
    {
        var former = request.Id is null ? null : await ChannelTable.Get(tx, id, ct);
        var (kind, old) = (former?.Kind ?? request.Kind, await channels.Open(tx, id, ct));
        var url = string.IsNullOrWhiteSpace(request.Settings.Url) || request.Settings.Url == former?.Settings.Url ? old.Url
            : request.Settings.Url.Trim();
        var settings = ChannelRules.Check(kind, request.Settings, url);
        var given = string.IsNullOrEmpty(request.Secret) ? old.Secret : request.Secret;
        var made = kind == ChannelKind.Webhook && given is null
            ? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SecretBytes)) : null;
        var secret = new ChannelSecret(kind == ChannelKind.Email ? null : url, kind is ChannelKind.Chat or ChannelKind.DeadMan ? null
            : made ?? given);
        await tx.Execute("""
            insert into channel (id, name, kind, settings, secret_sealed, is_paused, ping_due_at)
            values ($1, $2, $3, $4, $5, $6, case when $3 = 'DeadMan' then clock() end)
            on conflict (id) do update set name = excluded.name, settings = excluded.settings, secret_sealed = excluded.secret_sealed,
                is_paused = excluded.is_paused, ping_due_at = excluded.ping_due_at
            """, [id, request.Name, kind, JsonText.Of(settings, WireJson.Default.ChannelSettings),
                secret is { Url: null, Secret: null } ? null : await channels.Seal(tx, id, secret, ct), request.IsPaused], ct);
        await Notifications.Changed(tx, "channels", id.ToString(), ct);
        var detail = $"{kind} {request.Name}, {settings.Url ?? settings.SmtpHost}, {settings.Least} and worse"
            + (request.IsPaused ? ", paused" : "") + (url != old.Url && former is not null ? ", another address" : "")
            + (given != old.Secret ? ", another secret" : "");
        if (former is null) await Audit.Add(tx, caller, "channel.create", id.ToString(), detail, ct);
        else await Audit.Add(tx, caller, "channel.edit", id.ToString(), detail, ct);
        return await ChannelTable.Get(tx, id, ct) with { NewSecret = made };
    }
}

/// <summary>Removes a channel with what it was still to tell.</summary>
public sealed class RemoveChannel(Postgres db)
{
    /// <summary>Removes.</summary>
    public async Task Handle(Caller caller, RemoveChannelRequest request, CancellationToken ct)
    {
        caller.Must(Right.ChannelManage);
        await db.InTransaction(async tx =>
        {
            var channel = await ChannelTable.Get(tx, request.Id, ct);
            await tx.Execute("delete from channel where id = $1", [request.Id], ct);
            await Notifications.Changed(tx, "channels", null, ct);
            await Audit.Add(tx, caller, "channel.remove", request.Id.ToString(), $"{channel.Kind} {channel.Name}", ct);
        }, ct);
    }
}

/// <summary>Sends a test and says what the sink answered.</summary>
public sealed class TestChannel(Postgres db, Sinks sinks, TimeProvider clock)
{
    /// <summary>Sends, now; up to 45 seconds.</summary>
    public async Task<ChannelAnswer> Handle(Caller caller, TestChannelRequest request, CancellationToken ct)
    {
        caller.Must(Right.ChannelManage);
        var channel = await ChannelTable.Get(db, request.Id, ct);
        var answer = await sinks.Send(channel, MessageText.Test(MessageId.New(clock), channel.Name, caller.Name), ct);
        await db.InTransaction(async tx =>
        {
            await ChannelTable.Answered(tx, channel.Id, answer, ct);
            await Audit.Add(tx, caller, "channel.test", channel.Id.ToString(), $"{channel.Name}: {answer.Text}", ct);
        }, ct);
        return new ChannelAnswer(answer.IsGood, answer.Text);
    }
}
