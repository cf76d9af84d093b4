using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>Hands a message to the sink of its channel, once.</summary>
public sealed class Sinks(Postgres db, ChannelTable channels, TimeProvider clock) : IDisposable
{
    readonly HttpSink _http = new(clock);
    readonly SmtpSink _smtp = new(clock);

    internal async Task<SinkAnswer> Send(AlertChannel channel, MessageContent content, CancellationToken ct)
    {
        var secret = await channels.Open(db, channel.Id, ct);
        return channel.Kind switch
        {
            ChannelKind.Email => await _smtp.Send(channel.Settings, secret.Secret, content, ct),
            ChannelKind.Webhook => await _http.Webhook(new Uri(secret.Url!), secret.Secret, channel.Settings, content, ct),
            ChannelKind.Chat => await _http.Chat(new Uri(secret.Url!), channel.Settings, content, ct),
            _ => await _http.Ping(new Uri(secret.Url!), channel.Settings, ct),
        };
    }

    /// <summary>Closes connections.</summary>
    public void Dispose() => _http.Dispose();
}
