{{- define "ccv.name" -}}
{{- $name := contains "ccv-indexer" .Release.Name | ternary .Release.Name (printf "%s-ccv-indexer" .Release.Name) }}
{{- $name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "ccv.selector" -}}
app.kubernetes.io/name: ccv-indexer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ccv.labels" -}}
{{ include "ccv.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "ccv.configuration" -}}
{{ required "configuration: give the text of indexer.toml: --set-file configuration=indexer.toml" .Values.configuration }}
{{- end }}

{{/* Fields of a pod's spec that all processes share. */}}
{{- define "ccv.pod" -}}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The volumes of a pod whose configuration is the ConfigMap of that name. */}}
{{- define "ccv.volumes" -}}
- name: configuration
  configMap: { name: {{ .configMap }} }
{{- with .root.Values.secrets }}
- name: secrets
  projected:
    defaultMode: 288 # 0440, for the group
    sources:
      {{- range . }}
      - secret:
          name: {{ .name }}
          items: [{ key: {{ .key | quote }}, path: {{ printf "%s/%s" .name .key | quote }} }]
      {{- end }}
{{- end }}
{{- end }}

{{/* Fields of a container that all processes share. */}}
{{- define "ccv.container" -}}
image: {{ required "image.repository: name your image" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: configuration, mountPath: /etc/ccv-indexer, readOnly: true }
  {{- if .Values.secrets }}
  - { name: secrets, mountPath: /secrets, readOnly: true }
  {{- end }}
env:
  - { name: CCV_INDEXER__API__ListenAddress, value: "0.0.0.0" }
  - { name: CCV_INDEXER__API__ListenPort, value: {{ .Values.ports.api | quote }} }
  - { name: CCV_INDEXER__Admin__ListenAddress, value: "0.0.0.0" }
  - { name: CCV_INDEXER__Admin__ListenPort, value: {{ .Values.ports.admin | quote }} }
  - { name: CCV_INDEXER__Log__Format, value: json }
  {{- range .Values.secrets }}
  - name: CCV_INDEXER__{{ .path | replace "." "__" }}_FILE
    value: {{ printf "/secrets/%s/%s" .name .key | quote }}
  {{- end }}
  {{- range $name, $value := .Values.environment }}
  - { name: {{ $name }}, value: {{ $value | quote }} }
  {{- end }}
{{- end }}

{{/* Probes of a process by a port's name. */}}
{{- define "ccv.probes" -}}
startupProbe:
  httpGet: { path: /health, port: {{ . }} }
  periodSeconds: 2
  failureThreshold: 150
livenessProbe:
  httpGet: { path: /health, port: {{ . }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /ready, port: {{ . }} }
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}
