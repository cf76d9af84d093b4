using System.Text.Json;
using System.Text.Json.Serialization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>What is sealed of a channel. Addresses of chats and of dead man's switches are secrets themselves.</summary>
sealed record ChannelSecret(string? Url, string? Secret);

/// <summary>Shapes of the sealed part.</summary>
[JsonSerializable(typeof(ChannelSecret))]
sealed partial class ChannelJson : JsonSerializerContext;

/// <summary>Reads channels and seals what is secret of them.</summary>
public sealed class ChannelTable(SealedSecrets secrets)
{
    static readonly TimeSpan History = TimeSpan.FromDays(30);

    const string Select = """
        select c.id, c.name, c.kind, c.settings, c.secret_sealed is not null as has_secret, c.is_paused, c.answered_at, c.answer,
            c.answer_is_good,
            (select count(*)::int from message m where m.channel_id = c.id and m.state = 'Waiting') as waiting,
            (select count(*)::int from message m where m.channel_id = c.id and m.state = 'GivenUp' and m.ended_at > clock() - $1)
            as given_up
        from channel c
        """;

    internal static Task<List<AlertChannel>> All(SqlSource source, CancellationToken ct)
        => source.Query($"{Select} order by lower(c.name), c.id", [History], Read, ct);

    internal static async Task<AlertChannel> Get(SqlSource source, ChannelId id, CancellationToken ct)
        => await source.First($"{Select} where c.id = $2", [History, id], Read, ct)
            ?? throw new NotFoundException("A channel with this id");

    static AlertChannel Read(Row row) => new()
    {
        Id = row.Id<ChannelId>("id"),
        Name = row.Text("name"),
        Kind = row.Word<ChannelKind>("kind"),
        Settings = row.Json("settings", WireJson.Default.ChannelSettings)!,
        HasSecret = row.Bool("has_secret"),
        IsPaused = row.Bool("is_paused"),
        Waiting = row.Int("waiting"),
        GivenUp = row.Int("given_up"),
        AnsweredAt = row.TimeOrNull("answered_at"),
        Answer = row.TextOrNull("answer") is { } answer ? new ChannelAnswer(row.Bool("answer_is_good"), answer) : null,
    };

    internal async Task<byte[]> Seal(Transaction tx, ChannelId id, ChannelSecret secret, CancellationToken ct)
        => (await secrets.InUse(tx, ct)).Seal("channel", id.ToString(), "secret",
            JsonSerializer.SerializeToUtf8Bytes(secret, ChannelJson.Default.ChannelSecret));

    /// <summary>What is secret of a channel.</summary>
    internal async Task<ChannelSecret> Open(SqlSource source, ChannelId id, CancellationToken ct)
        => await source.First("select secret_sealed from channel where id = $1", [id],
            row => row.BytesOrNull("secret_sealed"), ct) is { } box
            ? JsonSerializer.Deserialize(secrets.Open("channel", id.ToString(), "secret", box), ChannelJson.Default.ChannelSecret)!
            : new ChannelSecret(null, null);

    /// <summary>Keeps what a sink said last.</summary>
    internal static async Task Answered(Transaction tx, ChannelId id, SinkAnswer answer, CancellationToken ct)
    {
        await tx.Execute("update channel set answered_at = clock(), answer = $2, answer_is_good = $3 where id = $1",
            [id, answer.Text, answer.IsGood], ct);
        await Notifications.Changed(tx, "channels", id.ToString(), ct);
    }
}
